import { HoldfastError } from './error.ts';
import type { ErrorCode } from './error-code.ts';

/** Gives errors of `work` this code, unless they already have one. */
export async function failingWith<T>(code: ErrorCode, work: () => T | Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (cause) {
    throw cause instanceof HoldfastError ? cause : new HoldfastError(code, undefined, { cause });
  }
}
