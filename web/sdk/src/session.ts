import type { User } from './user.ts';

/**
 * The live session with the server, as told by `hf.session()`.
 *
 * @example
 * const session = await hf.session();
 * if (session === null) showSignIn();
 */
export interface Session {
  readonly user: User;
  readonly authenticatedAt: Date;
  readonly expiresAt: Date;
}
