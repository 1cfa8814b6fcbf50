import type { Server } from './server.ts';
import type { Store } from './store.ts';
import type { TrustedRoots } from './trusted-roots.ts';

/** What the parts of one client share. */
export interface Context {
  /** Issuer and audience of every document. */
  readonly origin: string;
  readonly rpId: string | undefined;
  /** Undefined: read from the browser. */
  readonly deviceName: string | undefined;
  readonly clock: () => number;
  readonly store: Store;
  readonly server: Server;
  /** Rejects with `roots_unavailable`; asks again the next time. */
  readonly roots: () => Promise<TrustedRoots>;
}
