import type { JsonObject } from '../base/strict-json.ts';
import type { DeviceKey } from '../server/device-key.ts';
import type { Answer } from '../server/server.ts';
import type { Changes, Held, Transaction } from '../storage/store.ts';

/** The ledger's part in a reconcile. Its file is loaded by the apps that use it. */
export interface LedgerPart {
  /** The first acts that wait; null: none, or not now. Never rejects: the document does not depend on the ledger. */
  batch(held: Held, key: DeviceKey): Promise<Batch | null>;
  close(): void;
}

/** Acts that one request carries. */
export interface Batch {
  /** Signed by the device's key; undefined: nothing waits. */
  readonly jws: string | undefined;
  /** Whether the server refused the request because of the acts: reconcile again, which leaves them out. */
  isRefused(answer: Answer): boolean;
  /** Stores the verdicts of an answer, in the transaction that stores its lineage. */
  take(held: Held, body: JsonObject, transaction: Transaction): Changes;
  /** Called once that transaction is on disk. */
  taken(): void;
}
