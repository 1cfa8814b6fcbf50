import type { User } from './base/user.ts';
import type { ProofHeaders, ProofRequest } from './host/proof-request.ts';
import type { UnlockOptions } from './lock/unlock-options.ts';
import type { LinkOptions } from './reconcile/link-options.ts';
import type { ReconcileResult } from './reconcile/reconcile-result.ts';
import type { Session } from './session/session.ts';
import type { SignInOptions } from './session/sign-in-options.ts';
import type { Snapshot } from './state/snapshot.ts';
import type { LockOptions } from './storage/lock-options.ts';

/**
 * The signed-in user and their rights on this device. Reads are synchronous and work offline; methods that talk to the
 * server return a promise. Methods reject only with {@link HoldfastError}. They are bound: `const { has } = hf` works. `F` are
 * the names of the features that the app knows; any by default.
 *
 * @example
 * const hf = await openHoldfast({ origin: location.origin, roots });
 * hf.subscribe(() => render(hf.user, hf.entitlement));
 * exportButton.disabled = !hf.has("export");
 */
export interface Holdfast<F extends string = string> extends Snapshot<F> {
  /** Whether `feature` may be used at this moment. Cheap enough to ask on every click. */
  has(feature: F): boolean;
  /** The feature's limit; undefined if it may not be used now (ask `has`) or has no limit. */
  limit(feature: F): number | undefined;
  /** Everything that a page shows: the same object until something changes, for frameworks that compare by identity. */
  snapshot(): Snapshot<F>;
  /** Calls `listener` after every change of the snapshot, made in this tab or another. Returns a function that unsubscribes. */
  subscribe(listener: () => void): () => void;

  /**
   * Asks the server for a new document and stores it if every check passes. Never rejects for lack of network. A call during
   * a run waits for the next run, so its answer is never older than the call.
   */
  reconcile(): Promise<ReconcileResult>;
  /** Starts automatic reconciling (see {@link Options.autoReconcile}); returns a function that stops it. */
  start(): () => void;
  /**
   * Reports a successful answer that the app got from the server by other means: a reconcile that is due, or that failed for
   * lack of contact, then runs without further delay. Cheap enough to call after every request.
   */
  contacted(): void;

  /**
   * `fetch` for a back end that requires a feature (the Go package `entitlements/host`): adds the entitlement document and a
   * proof by this device's key, keeps the back end's nonces, and sends the request once more if the back end asks for a new
   * one. The body is read into memory. Reconciles first if no document is in force. Only to https or to this machine; a
   * redirect is an error unless `redirect: 'manual'` returns it. Rejects with `signed_out`, `url_insecure`, `no_contact`
   * (`cause` is the error of `fetch`), `cancelled` by its signal, or the reason why there is no document. It needs
   * `import()`, which pages and module workers have, but not service workers.
   */
  fetch(input: string | URL | Request, init?: RequestInit): Promise<Response>;
  /** The two headers that `fetch` adds, for one request made by other means. Rejects as `fetch` does. */
  proof(request: ProofRequest): Promise<ProofHeaders>;

  /**
   * Creates an account with a new passkey, links this device and reconciles. With a live session the passkey is added to
   * that account instead. Rejects with `device_limit` when signed in but not linked: call `link({ replaces })`. After a
   * failure with unknown outcome (`no_contact`), the same call continues with the passkey already made. Like `signIn` and
   * `enrol`, it rejects with the code and in the words of {@link Options.debug} if the set-up makes every try fail.
   */
  register(name: string): Promise<User>;
  /**
   * Signs in with a passkey, links this device unless it is still linked, and reconciles. With mediation `conditional` the
   * browser offers passkeys in the form's autofill, again after a failure, until one is chosen, `signal` ends it, or a later
   * modal call does.
   */
  signIn(options?: SignInOptions): Promise<User>;
  /** Adds a new passkey to the account of a one-time enrolment or recovery code, then continues as `register`. */
  enrol(code: string): Promise<User>;
  /** Links this device to the signed-in user under a new key, optionally in place of another one, and reconciles. */
  link(options?: LinkOptions): Promise<void>;
  /**
   * Deletes user, device and document here, and ends session and device on the server: at once (true), or at the next
   * contact if the server cannot be reached (false). If the session has ended by then, or may no longer unlink the device,
   * the same user's next sign-in unlinks it.
   */
  signOut(): Promise<boolean>;

  /**
   * Starts the user's only trial and reconciles. Rejects with `conflict` if the user has had one, or with
   * `reauthentication_required`: see {@link Session}.
   */
  startTrial(): Promise<ReconcileResult>;
  /**
   * The session with the server, which manages the user's passkeys, sessions and account; null: no session. Rejects with
   * `no_contact` offline.
   */
  session(): Promise<Session | null>;

  /**
   * Locks every page of this user, now and across reloads. Rejects with `passkeys_unavailable` or `not_supported` if this
   * device could not open them again, so that nobody is locked out permanently. A passkey on another device, reached by a QR
   * code, needs the network.
   */
  lock(): Promise<void>;
  /**
   * Opens this page with a passkey of the signed-in user, without network. Independent of the subscription and the clock.
   * Rejects as the prompt of `signIn` does, with `passkey_unknown`, with `assertion_invalid`, or with
   * `passkeys_unavailable`: then only `signIn()` as the same user opens it. Resolves at once if the page is not locked.
   */
  unlock(options?: UnlockOptions): Promise<void>;
  /**
   * Sets `lockOptions` for this user on this device, in all pages. `{}` means never; other options reject as `lock` does.
   */
  setLock(options: LockOptions): Promise<void>;

  /** Stops timers and listeners and closes the database. Methods that return a promise reject with `closed` afterwards. */
  close(): void;
}
