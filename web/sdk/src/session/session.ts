import type { LinkedDevice } from '../base/linked-device.ts';
import type { User } from '../base/user.ts';
import type { Passkey } from '../passkey/passkey.ts';
import type { Notice } from './notice.ts';
import type { OpenSession } from './open-session.ts';

/**
 * The live session with the server, from `hf.session()`, which manages the user's passkeys, sessions and account. Needs the
 * network. Methods reject with `unauthenticated` when the session is over. Those marked recent reject with
 * `reauthentication_required` when the last passkey tap is more than ten minutes ago: call `confirm()`, then the method
 * again. This object stays usable after a new passkey or sign-in.
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
  /** Security events to show to the user, newest first. Constant during the session. */
  readonly notices: readonly Notice[];

  /**
   * Lets the user confirm with a passkey that it is still them. Rejects as the prompt of `hf.signIn` does, or with
   * `passkey_unknown` for another user's passkey, which changes nothing.
   */
  confirm(): Promise<void>;

  /** The user's passkeys, oldest first. */
  passkeys(): Promise<readonly Passkey[]>;
  /**
   * Adds a passkey for this user; the session is replaced by a new one. Recent. Rejects as the prompt of `hf.register` does,
   * or with `conflict` when there are 20.
   */
  addPasskey(): Promise<void>;
  /**
   * Renames a passkey (1 to 100 characters). If this device stores the passkey and the browser supports it, the
   * authenticator is told the name and shows it beside the user's. Recent. Rejects with `not_found` or `invalid_request`.
   */
  renamePasskey(id: string, name: string): Promise<void>;
  /**
   * Deletes a passkey, and with `endSessions` all sessions that it opened except this one; tells the authenticator where the
   * browser supports it. Recent. Rejects with `not_found`, or with `last_passkey`: the last one can be deleted only while
   * recovery codes are left.
   */
  deletePasskey(id: string, options?: { readonly endSessions?: boolean }): Promise<void>;

  /** The user's live sessions, including this one, most recently used first. */
  sessions(): Promise<readonly OpenSession[]>;
  /** Ends a session. Recent. Rejects with `not_found`. */
  endSession(id: string): Promise<void>;
  /** Ends all of the user's sessions but this one. Recent. */
  endOtherSessions(): Promise<void>;

  /** The user's devices, including this one. */
  devices(): Promise<readonly LinkedDevice[]>;
  /**
   * Removes another device from the account: premium ends there when it is next online. Recent. Rejects with `not_found`.
   */
  unlinkDevice(id: string): Promise<void>;

  /** How many recovery codes are left, and when they were made; null: none. */
  recoveryCodes(): Promise<{ readonly left: number; readonly createdAt: Date | null }>;
  /** Replaces the recovery codes with ten new ones and returns them, this once only. `hf.enrol` takes one. Recent. */
  createRecoveryCodes(): Promise<readonly string[]>;

  /** Exports all of the server's data on the user, as JSON. Recent. */
  exportAccount(): Promise<Readonly<Record<string, unknown>>>;
  /** Permanently deletes the account with all its data, and signs out here. Recent. */
  deleteAccount(): Promise<void>;
}
