import { completion, openDatabase, readAll } from './database.ts';
import { HoldfastError } from './error.ts';
import type { KeysetMark } from './keyset.ts';
import type { TrustedTime } from './trusted-time.ts';
import type { User } from './user.ts';

/** Everything that is kept, by its key in the object store "state". Signed texts are verified again at every start. */
export interface Records {
  user: User;
  device: Device;
  /** The device that the held document belongs to, while the one linked after it has not taken its own. */
  former: Device;
  /** A key whose linking was begun: the answer may have been lost, so the same key is sent again. */
  pending: PendingDevice;
  lineage: string;
  document: string;
  passkeys: string;
  keyset: string;
  marks: readonly KeysetMark[];
  time: TrustedTime;
  /** What the server is still to be told of a sign-out. */
  farewell: Farewell;
}

/** This installation, as the server knows it. */
export interface Device {
  readonly id: string;
  readonly pair: CryptoKeyPair;
}

export interface PendingDevice {
  /** Tells one attempt from another. */
  readonly id: string;
  readonly user: string;
  readonly pair: CryptoKeyPair;
}

export interface Farewell {
  readonly user: string;
  /** The device to be unlinked; null: none. */
  readonly device: string | null;
  /** The session is over, so that only the next one of the same user can unlink the device. */
  readonly sessionEnded?: true;
}

export type Held = Readonly<Partial<Records>>;

/** A member set to undefined is deleted. */
export type Changes = { readonly [K in keyof Records]?: Records[K] | undefined };

/** Nothing of the user remains. Keyset, marks and time stay: they belong to the server, not to the user. */
export const nobody: Changes = {
  user: undefined,
  device: undefined,
  former: undefined,
  pending: undefined,
  lineage: undefined,
  document: undefined,
  passkeys: undefined,
};

/** An open that takes longer hangs for good in some engines. */
const openTimeout = 5_000;

/** IndexedDB, opened when needed and again after the connection was lost. Rejects with `storage_unavailable` only. */
export class Store {
  readonly #name: string;
  #database: Promise<IDBDatabase> | undefined;

  constructor(name: string) {
    this.#name = name;
  }

  /** All records, of one moment. */
  read(): Promise<Held> {
    return this.#attempt(async (database) => {
      const transaction = database.transaction('state', 'readonly');
      const [held] = await Promise.all([readAll(transaction.objectStore('state')), completion(transaction)]);
      return held;
    });
  }

  /**
   * Compare and swap: `change` sees what is held and says what becomes of it, or null to leave all as it is; nobody writes
   * in between. Resolves once the transaction is complete and on disk, with whether it was made.
   */
  update(change: (held: Held) => Changes | null): Promise<boolean> {
    return this.#attempt(async (database) => {
      const transaction = database.transaction('state', 'readwrite', { durability: 'strict' });
      const complete = completion(transaction);
      try {
        const state = transaction.objectStore('state');
        const changes = change(await readAll(state));
        for (const [key, value] of Object.entries(changes ?? {})) {
          if (value === undefined) state.delete(key);
          else state.put(value, key);
        }
        await complete;
        return changes !== null;
      } catch (error) {
        // A value that cannot be cloned throws before its request exists: without this the others would be committed.
        complete.catch(() => {});
        abort(transaction);
        throw error;
      }
    });
  }

  async close(): Promise<void> {
    const database = this.#database;
    this.#database = undefined;
    await database?.then((open) => open.close()).catch(() => {});
  }

  /** A lost connection is reopened once; a second failure is the caller's. */
  async #attempt<T>(work: (database: IDBDatabase) => Promise<T>, again = true): Promise<T> {
    try {
      return await work(await this.#open());
    } catch (cause) {
      if (!again || !isConnectionLost(cause)) throw new HoldfastError('storage_unavailable', undefined, { cause });
      await this.close();
      return this.#attempt(work, false);
    }
  }

  #open(): Promise<IDBDatabase> {
    if (this.#database) return this.#database;
    const forget = () => {
      if (this.#database === opening) this.#database = undefined;
    };
    const connecting = openDatabase(this.#name, { blocking: () => void this.close(), terminated: forget });
    const opening = withTimeout(connecting);
    opening.catch(() => {
      forget();
      // A connection that comes too late is nobody's: left open, it would block the next version's upgrade.
      connecting.then((late) => late.close()).catch(() => {});
    });
    this.#database = opening;
    return opening;
  }
}

function withTimeout<T>(work: Promise<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error('opening IndexedDB takes too long')), openTimeout);
    work.then(resolve, reject).finally(() => clearTimeout(timer));
  });
}

/** WebKit says UnknownError when its storage process went away; a transaction on a closed connection, InvalidStateError. */
function isConnectionLost(error: unknown): boolean {
  return error instanceof Error && /^(InvalidState|Unknown)Error$/.test(error.name);
}

function abort(transaction: IDBTransaction): void {
  try {
    transaction.abort();
  } catch {
    // It is over already.
  }
}
