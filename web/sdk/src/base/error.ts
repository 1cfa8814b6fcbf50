import type { ErrorCode } from './error-code.ts';
import type { LinkedDevice } from './linked-device.ts';

/**
 * The only error that this package throws. Decide by `code`; `message` is for logs.
 *
 * @example
 * try {
 *   await hf.signIn();
 * } catch (error) {
 *   if (error instanceof HoldfastError && error.code === "cancelled") return;
 *   throw error;
 * }
 */
export class HoldfastError extends Error {
  override readonly name = 'HoldfastError';
  readonly code: ErrorCode;
  /** With `device_limit`: the user's devices, oldest first; one of them can be replaced. Otherwise empty. */
  readonly devices: readonly LinkedDevice[];
  /** The HTTP status of the problem document that `code` is from; undefined: the code is this package's own. */
  readonly status: number | undefined;
  /** The seconds to wait before the next try, if the server sent Retry-After. */
  readonly retryAfter: number | undefined;

  constructor(
    code: ErrorCode,
    message: string = code,
    options: Partial<Pick<HoldfastError, 'cause' | 'devices' | 'status' | 'retryAfter'>> = {},
  ) {
    super(message, options);
    this.code = code;
    this.devices = options.devices ?? [];
    this.status = options.status;
    this.retryAfter = options.retryAfter;
  }
}
