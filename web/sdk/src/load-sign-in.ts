import { HoldfastError } from './error.ts';

/** A file that does not arrive is no contact: the server would not have been reached either. */
export async function loadSignIn(): Promise<typeof import('./sign-in.ts')> {
  try {
    return await import('./sign-in.ts');
  } catch (cause) {
    throw new HoldfastError('no_contact', undefined, { cause });
  }
}
