import type { LockOptions } from './lock-options.ts';
import type { Options } from './options.ts';
import { Server } from './server.ts';
import { Store } from './store.ts';
import { type TrustedRoots, trustRoots } from './trusted-roots.ts';

/** The parts and settings that one client shares. */
export interface Context {
  /** Of the database, of the lock around reconciling, and of the channel on which tabs and workers tell of changes. */
  readonly name: string;
  /** Issuer and audience of every document. */
  readonly origin: string;
  readonly rpId?: string;
  /** Undefined: read from the browser. */
  readonly deviceName?: string;
  /** In force until the user chooses otherwise. */
  readonly lock?: LockOptions;
  readonly clock: () => number;
  readonly monotonic: () => number;
  /** How far the clock was ahead at the last contact of this client; null: it had none. Milliseconds. */
  ahead: number | null;
  readonly store: Store;
  readonly server: Server;
  /** Rejects with `roots_unavailable`; asks again the next time. `again` loads them even if they are known. */
  readonly roots: (again?: boolean) => Promise<TrustedRoots>;
}

/** Fills in what the options leave out. Nothing is opened or loaded yet. */
export function makeContext({
  origin,
  roots,
  database: name = 'holdfast',
  clock = Date.now,
  monotonic = () => performance.now(),
  timeout = 15_000,
  fetch = (input, init) => globalThis.fetch(input, init),
  ...rest
}: Options): Context {
  let trusted: TrustedRoots | undefined;
  return {
    ...rest,
    name,
    origin,
    clock,
    monotonic,
    ahead: null,
    store: new Store(name),
    server: new Server({ origin, fetch, timeout, clock }),
    // Loaded once; a load that failed is tried again when they are wanted next.
    roots: async (again) => {
      if (again || !trusted) trusted = await trustRoots(roots, Math.min(timeout, 5_000));
      return trusted;
    },
  };
}
