import type { LockOptions } from '../storage/lock-options.ts';
import type { Roots } from '../verify/roots.ts';

/**
 * The settings of {@link openHoldfast}.
 *
 * @example
 * const options: Options = { origin: location.origin, roots };
 */
export interface Options {
  /** The server's public origin: issuer and audience of every document. A path makes opening fail with `origin_invalid`. */
  readonly origin: string;
  /**
   * The embedded roots, or how to load them without network (the app's precached /roots.json). A load that fails or takes
   * longer than 5 seconds is tried once more.
   */
  readonly roots: Roots | (() => Promise<Roots>);
  /** The relying party's id, which the passkeys document must name. Default: not compared. */
  readonly rpId?: string;
  /** The name of this device in the user's list. Default: derived from the user agent. */
  readonly deviceName?: string;
  /**
   * Reconcile automatically: at start, when the page becomes visible or online, when the server announces a change, when it
   * is due, and again after a failure. Default: true.
   */
  readonly autoReconcile?: boolean;
  /** When pages lock by themselves, until the user chooses otherwise (see {@link Holdfast.setLock}). Default: never. */
  readonly lock?: LockOptions;
  /** The name of the IndexedDB database, of the lock and of the channel between tabs. Default: "holdfast". */
  readonly database?: string;
  /** The clock in milliseconds since 1970, for tests. Default: Date.now. */
  readonly clock?: () => number;
  /** A monotonic clock in milliseconds, for tests. Default: performance.now. */
  readonly monotonic?: () => number;
  /**
   * Tells the developer in plain words what is set up wrongly: in the console, or with a function of their own. It asks the
   * server when the client opens and when something fails, so leave it out in production.
   */
  readonly debug?: boolean | ((message: string) => void);
  /** For tests and for wrapping. Default: the global fetch. */
  readonly fetch?: typeof globalThis.fetch;
  /** Milliseconds until a request without an answer counts as no contact. Default: 15 000. */
  readonly timeout?: number;
}
