import { readOrigin } from '../base/origin.ts';
import { Server } from '../server/server.ts';
import type { LockOptions } from '../storage/lock-options.ts';
import { Store } from '../storage/store.ts';
import { type TrustedRoots, trustRoots } from '../verify/trusted-roots.ts';
import type { LedgerPart } from './ledger-part.ts';
import type { Options } from './options.ts';

/** The parts and settings of one client. */
export interface Context {
  /**
   * The name of the database, of the lock around reconciling, and of the channel on which tabs and workers announce changes.
   */
  readonly name: string;
  /** The issuer and audience of every document. */
  readonly origin: string;
  readonly rpId?: string;
  /** Undefined: derived from the browser. */
  readonly deviceName?: string;
  /** Applies until the user chooses otherwise. */
  readonly lock?: LockOptions;
  readonly clock: () => number;
  readonly monotonic: () => number;
  /** How far the clock was ahead at this client's last contact; null: no contact yet. Milliseconds. */
  ahead: number | null;
  readonly fetch: typeof globalThis.fetch;
  readonly store: Store;
  readonly server: Server;
  /** Undefined: the app has not opened the ledger. */
  ledger?: LedgerPart | undefined;
  /** Rejects with `roots_unavailable`; the next call tries again. `again` reloads known roots. */
  readonly roots: (again?: boolean) => Promise<TrustedRoots>;
}

/** Fills in the defaults. Opens and loads nothing yet. Throws `origin_invalid`. */
export function makeContext({
  origin: given,
  roots,
  database: name = 'holdfast',
  clock = Date.now,
  monotonic = () => performance.now(),
  timeout = 15_000,
  fetch = (input, init) => globalThis.fetch(input, init),
  ...rest
}: Options): Context {
  const origin = readOrigin(given);
  let trusted: TrustedRoots | undefined;
  return {
    ...rest,
    name,
    origin,
    clock,
    monotonic,
    fetch,
    ahead: null,
    store: new Store(name),
    server: new Server({ origin, fetch, timeout, clock }),
    // Loaded once; after a failed load, the next call tries again.
    roots: async (again) => {
      if (again || !trusted) trusted = await trustRoots(roots, Math.min(timeout, 5_000));
      return trusted;
    },
  };
}
