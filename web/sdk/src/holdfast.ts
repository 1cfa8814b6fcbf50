import type { Entitlement } from './entitlement.ts';
import type { LockOptions } from './lock-options.ts';
import type { ReconcileResult } from './reconcile-result.ts';
import type { Session } from './session.ts';
import type { StorageHealth } from './storage-health.ts';
import type { User } from './user.ts';

/**
 * The signed-in user and their rights on this device. Reads are synchronous and work offline; whatever talks to the
 * server is a promise. Methods reject with {@link HoldfastError} only.
 *
 * @example
 * const hf = await openHoldfast({ origin: location.origin, roots });
 * hf.subscribe(() => render(hf.user, hf.entitlement));
 * exportButton.disabled = !hf.has("export");
 */
export interface Holdfast {
  /** The user signed in on this device, offline too; null: nobody. */
  readonly user: User | null;
  /** The UUID under which the server knows this installation; null: not linked. */
  readonly device: string | null;
  /** The features that may be used now, and why; the same object until something changes. */
  readonly entitlement: Entitlement;
  /** Whether this device's storage is well, and if not, what is wrong with it. Independent of what may be used. */
  readonly storage: StorageHealth;
  /** Whether the last request reached the server; null: there was none yet. A captive portal is not the server. */
  readonly reached: boolean | null;

  /** Whether `feature` may be used at this moment. Cheap enough to ask on every click. */
  has(feature: string): boolean;
  /** The feature's limit; undefined if it may not be used now (ask `has`) or has no limit. */
  limit(feature: string): number | undefined;
  /**
   * Calls `listener` after every change of `user`, `entitlement`, `locked`, `storage` or `reached`, made in this tab or another.
   * Returns the way out.
   */
  subscribe(listener: () => void): () => void;

  /**
   * Asks the server for a new document and takes it if every check passes. Never rejects for lack of network. A call
   * while another runs waits for the next run, so its answer is never older than the call.
   */
  reconcile(): Promise<ReconcileResult>;
  /** Starts reconciling by itself (see {@link Options.autoReconcile}); returns how to stop. */
  start(): () => void;
  /**
   * The app has had a successful answer from the server by other means: a reconcile that is due, or failed for lack of
   * contact, need not wait any longer. Cheap enough to call after every request.
   */
  contacted(): void;

  /**
   * Creates an account with a new passkey, links this device and reconciles. With a live session the passkey is added to
   * that account instead. Rejects with `device_limit` when signed in but not linked: call `link({ replaces })`. After a
   * failure in which the outcome is not known (`no_contact`), the same call goes on with the passkey that was made.
   */
  register(name: string): Promise<User>;
  /**
   * Signs in with a passkey, links this device unless it still is, and reconciles. With mediation `conditional` the
   * browser offers passkeys in the form's autofill, again after a failure, until one is chosen, `signal` ends it, or a later
   * modal call does.
   */
  signIn(options?: SignInOptions): Promise<User>;
  /** Stores a new passkey for the account that a one-time enrolment or recovery code belongs to; then as `register`. */
  enrol(code: string): Promise<User>;
  /** Links this device to the signed-in user under a new key, optionally in place of another one, and reconciles. */
  link(options?: LinkOptions): Promise<void>;
  /**
   * Forgets user, device and document here, and ends session and device on the server: at once (true), or, when it cannot
   * be reached, at the next contact (false). When the session is over by then, or may no longer unlink the device, that
   * is unlinked after the same user's next sign-in.
   */
  signOut(): Promise<boolean>;

  /**
   * Starts the one trial that each user has, and reconciles. Rejects with `conflict` if it was had before, or with
   * `reauthentication_required`: see {@link Session}.
   */
  startTrial(): Promise<ReconcileResult>;
  /**
   * The session with the server, which is also the way to the user's passkeys, sessions and account; null: none. Rejects with
   * `no_contact` offline.
   */
  session(): Promise<Session | null>;

  /**
   * Whether this page is locked: show nothing of the user's. What the document grants does not depend on it. A locked
   * page opens by `unlock()` in it, or by `signIn()` as the same user; sign-out ends a lock together with the user.
   */
  readonly locked: boolean;
  /**
   * Locks every page of this user, now and over reloads. Rejects with `passkeys_unavailable` or `not_supported` where
   * nothing here could open it again: nobody is locked out for good. A passkey that is on another device, reached by a
   * QR code, needs the network.
   */
  lock(): Promise<void>;
  /**
   * Opens this page with a passkey of the signed-in user, without network. An ended subscription does not matter, nor
   * does the clock. Rejects as the prompt of `signIn` does, with `passkey_unknown`, with `assertion_invalid`, or with
   * `passkeys_unavailable`: then only `signIn()` as the same user is left. Resolves at once where the page is not
   * locked.
   */
  unlock(options?: UnlockOptions): Promise<void>;
  /** When pages lock by themselves. */
  readonly lockOptions: LockOptions;
  /** Changes that, for this user on this device, in all pages. Rejects as `lock` does unless it is `{}`: never. */
  setLock(options: LockOptions): Promise<void>;

  /** Stops timers and listeners and closes the database. Nothing else may be called afterwards. */
  close(): void;
}

/** See {@link Holdfast.signIn}. */
export interface SignInOptions {
  readonly mediation?: 'conditional';
  readonly signal?: AbortSignal;
}

/** See {@link Holdfast.unlock}. */
export interface UnlockOptions {
  readonly signal?: AbortSignal;
}

/** See {@link Holdfast.link}. */
export interface LinkOptions {
  /** The device to replace, when the plan's limit is reached. */
  readonly replaces?: string;
}
