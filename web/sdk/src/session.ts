import type { LinkedDevice } from './linked-device.ts';
import type { Notice } from './notice.ts';
import type { OpenSession } from './open-session.ts';
import type { Passkey } from './passkey.ts';
import type { User } from './user.ts';

/**
 * The live session with the server, as told by `hf.session()`, and what its user may do with it: look after passkeys, sessions and
 * the account. Needs the network. Methods reject with `unauthenticated` when the session is over. Those marked recent reject with
 * `reauthentication_required` when the last tap of a passkey is more than ten minutes ago: call `confirm()`, and then the method
 * again. A new passkey or sign-in leaves this object as good as it was.
 *
 * @example
 * const session = await hf.session();
 * if (session === null) showSignIn();
 * else for (const passkey of await session.passkeys()) show(passkey.name, passkey.provider);
 */
export interface Session {
  readonly user: User;
  readonly authenticatedAt: Date;
  readonly expiresAt: Date;
  /** What the user should hear of, the newest first. The same all through the session. */
  readonly notices: readonly Notice[];

  /**
   * Lets the user show with a passkey that it is still them. Rejects as the prompt of `hf.signIn` does, or with `passkey_unknown` when
   * the passkey is somebody else's: that changes nothing.
   */
  confirm(): Promise<void>;

  /** The user's passkeys, the oldest first. */
  passkeys(): Promise<readonly Passkey[]>;
  /**
   * Makes one more passkey, for this user only; the session is a new one then. Recent. Rejects as the prompt of `hf.register` does, or
   * with `conflict` when there are 20.
   */
  addPasskey(): Promise<void>;
  /**
   * Gives a passkey another name, of 1 to 100 characters, and tells the authenticator if the passkey is kept by this device and the
   * browser can: it shows the name beside the user's. Recent. Rejects with `not_found` or `invalid_request`.
   */
  renamePasskey(id: string, name: string): Promise<void>;
  /**
   * Deletes a passkey, with `endSessions` also the sessions that it opened, all but this one; and tells the authenticator, where the
   * browser can. Recent. Rejects with `not_found`, or with `last_passkey`: the last one goes only while recovery codes are left.
   */
  deletePasskey(id: string, options?: { readonly endSessions?: boolean }): Promise<void>;

  /** The user's live sessions, this one too, the latest used first. */
  sessions(): Promise<readonly OpenSession[]>;
  /** Ends a session. Recent. Rejects with `not_found`. */
  endSession(id: string): Promise<void>;
  /** Ends all of the user's sessions but this one. Recent. */
  endOtherSessions(): Promise<void>;

  /** The user's devices, this one too. */
  devices(): Promise<readonly LinkedDevice[]>;
  /** Takes another device out of the account: premium ends there when it is online next. Recent. Rejects with `not_found`. */
  unlinkDevice(id: string): Promise<void>;

  /** How many recovery codes are left, and since when there are any; null: none. */
  recoveryCodes(): Promise<{ readonly left: number; readonly createdAt: Date | null }>;
  /** Makes ten new recovery codes in place of the old ones, and tells them this once. `hf.enrol` takes one. Recent. */
  createRecoveryCodes(): Promise<readonly string[]>;

  /** All that the server holds of the user, as JSON. Recent. */
  exportAccount(): Promise<Readonly<Record<string, unknown>>>;
  /** Deletes the account and all that belongs to it, for good; here, nobody is signed in then. Recent. */
  deleteAccount(): Promise<void>;
}
