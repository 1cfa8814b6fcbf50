import type { User } from '../base/user.ts';
import type { LedgerStatus } from '../storage/ledger-record.ts';
import type { LockOptions } from '../storage/lock-options.ts';
import type { StorageHealth } from '../storage/storage-health.ts';
import type { Entitlement } from '../verify/entitlement.ts';

/**
 * Everything that a page shows, at one moment. Frozen; the same object until something changes, and so is each of its parts.
 *
 * @example
 * const { user, entitlement } = useSyncExternalStore(hf.subscribe, hf.snapshot, emptyHoldfast().snapshot);
 */
export interface Snapshot<F extends string = string> {
  /** The user signed in on this device, also offline; null: nobody. */
  readonly user: User | null;
  /** The server's UUID of this installation; null: not linked. */
  readonly device: string | null;
  /** The features that may be used now, and why. */
  readonly entitlement: Entitlement<F>;
  /** The health of this device's storage. Independent of the entitlement. */
  readonly storage: StorageHealth;
  /** Whether the last request reached the server; null: no request yet. A captive portal does not count. */
  readonly reached: boolean | null;
  /**
   * Whether this page is locked: show none of the user's data then. The entitlement does not depend on it. `unlock()` in the
   * page opens it, as does `signIn()` as the same user; sign-out ends the lock.
   */
  readonly locked: boolean;
  /** When pages lock by themselves. */
  readonly lockOptions: LockOptions;
  /** The acts that were recorded on this device; null: the app has not opened the ledger (`@holdfast/client/ledger`). */
  readonly ledger: LedgerStatus | null;
}
