import { type DBSchema, type IDBPDatabase, openDB } from 'idb';
import { HoldfastError } from './error.ts';
import type { KeysetMark } from './keyset.ts';
import type { LockOptions } from './lock-options.ts';
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
  /** The lineage under which a run found no contact, for the worker that is to make up for it. */
  owed: string;
  /** The pages of this user are locked. */
  locked: Lock;
  /** What the user has chosen. */
  lock: LockOptions;
  /** By the device's clock, milliseconds: when somebody was last seen in a page, while pages lock by themselves. */
  active: number;
  /** Ids of the user's passkeys that were made or used here and are kept by this device itself. */
  here: readonly string[];
}

export interface Lock {
  /** Tells one locking from the next. */
  readonly id: string;
  readonly user: string;
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
  owed: undefined,
  locked: undefined,
  lock: undefined,
  active: undefined,
  here: undefined,
};

interface Schema extends DBSchema {
  state: { key: string; value: unknown };
}

/**
 * Version 1: the object store "state". Later versions may only add to it, so that a page of the version before, which a
 * roll-back or a tab left open brings back, works on what they leave.
 */
export const schemaVersion = 1;

/** What takes longer hangs for good in some engines, or is held up by a page that does not let go. */
const patience = 5_000;

/** IndexedDB, opened when needed and again after the connection was lost. Rejects with `storage_unavailable` only. */
export class Store {
  readonly #name: string;
  #database: Promise<IDBPDatabase<Schema>> | undefined;
  /** What to open; undefined: whatever version is there. */
  version: number | undefined;
  /** What was wrong at the last use; undefined: nothing. */
  failure: unknown;
  /** An older version's tab stood in the way of the last opening. */
  blocked = false;

  constructor(name: string, version = schemaVersion) {
    this.#name = name;
    this.version = version;
  }

  /** All records, of one moment. */
  read(): Promise<Held> {
    return this.#attempt(async (database) => {
      const transaction = database.transaction('state', 'readonly');
      const held = await readAll(transaction.store);
      await transaction.done;
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
      try {
        const changes = change(await readAll(transaction.store));
        const writes = Object.entries(changes ?? {}).map(([key, value]) =>
          value === undefined ? transaction.store.delete(key) : transaction.store.put(value, key),
        );
        await Promise.all([...writes, transaction.done]);
        return changes !== null;
      } catch (error) {
        // A value that cannot be cloned throws before its request exists: without this the others would be committed.
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
  async #attempt<T>(work: (database: IDBPDatabase<Schema>) => Promise<T>): Promise<T> {
    try {
      const open = async () => work(await this.#open());
      const result = await open().catch(async (error) => {
        if (!isConnectionLost(error)) throw error;
        await this.close();
        return open();
      });
      this.failure = undefined;
      return result;
    } catch (cause) {
      this.failure = cause;
      throw new HoldfastError('storage_unavailable', undefined, { cause });
    }
  }

  #open(): Promise<IDBPDatabase<Schema>> {
    if (this.#database) return this.#database;
    const forget = () => {
      if (this.#database === opening) this.#database = undefined;
    };
    this.blocked = false;
    const connecting = openDB<Schema>(this.#name, this.version, {
      upgrade: (database, oldVersion) => {
        if (oldVersion < 1) database.createObjectStore('state');
      },
      blocked: () => {
        this.blocked = true;
      },
      blocking: () => void this.close(),
      terminated: forget,
    });
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

async function readAll(store: { getAllKeys(): Promise<string[]>; getAll(): Promise<unknown[]> }): Promise<Held> {
  const [keys, values] = await Promise.all([store.getAllKeys(), store.getAll()]);
  return Object.fromEntries(keys.map((key, index) => [key, values[index]]));
}

/** For opening and deleting. The timer is left to run out: by then, the promise is settled. */
export function withTimeout<T>(work: Promise<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    work.then(resolve, reject);
    setTimeout(() => reject(new Error('IndexedDB is silent')), patience);
  });
}

/** WebKit says UnknownError when its storage process went away; a transaction on a closed connection, InvalidStateError. */
function isConnectionLost(error: unknown): boolean {
  return error instanceof Error && /^(InvalidState|Unknown)Error$/.test(error.name);
}

function abort(transaction: { abort(): void; done: Promise<void> }): void {
  transaction.done.catch(() => {});
  try {
    transaction.abort();
  } catch {
    // It is over already.
  }
}
