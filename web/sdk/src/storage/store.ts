import { type DBSchema, type IDBPDatabase, type IDBPTransaction, openDB } from 'idb';
import { HoldfastError } from '../base/error.ts';
import type { User } from '../base/user.ts';
import type { KeysetMark } from '../verify/keyset.ts';
import type { TrustedTime } from '../verify/trusted-time.ts';
import type { EntryKey, KeptEntry, LedgerRecord } from './ledger-record.ts';
import type { LockOptions } from './lock-options.ts';

/** All records, by their key in the object store "state". Signed texts are verified again at every start. */
export interface Records {
  user: User;
  device: Device;
  /** The device of the held document, until the newly linked one has taken its own. */
  former: Device;
  /** The key of an unfinished linking: the answer may have been lost, so the same key is sent again. */
  pending: PendingDevice;
  lineage: string;
  document: string;
  passkeys: string;
  keyset: string;
  marks: readonly KeysetMark[];
  time: TrustedTime;
  /** The part of a sign-out that the server has not heard of. */
  farewell: Farewell;
  /** The lineage of a run that found no contact, for the worker that makes up for it. */
  owed: string;
  /** The pages of this user are locked. */
  locked: Lock;
  /** The lock options that the user has chosen. */
  lock: LockOptions;
  /** The time of the last activity in any page, by the device's clock in milliseconds, while pages lock by themselves. */
  active: number;
  /** The ids of the user's passkeys that were made or used here and are stored by this device itself. */
  here: readonly string[];
  /** The end of this device's chain of acts, and what is known of the user's. */
  ledger: LedgerRecord;
}

export interface Lock {
  /** Distinguishes one lock from the next. */
  readonly id: string;
  readonly user: string;
}

/** This installation, as registered with the server. */
export interface Device {
  readonly id: string;
  readonly pair: CryptoKeyPair;
}

export interface PendingDevice {
  /** Distinguishes one attempt from another. */
  readonly id: string;
  readonly user: string;
  readonly pair: CryptoKeyPair;
}

export interface Farewell {
  readonly user: string;
  /** The device to unlink; null: none. */
  readonly device: string | null;
  /** The session is over, so that only the next one of the same user can unlink the device. */
  readonly sessionEnded?: true;
}

export type Held = Readonly<Partial<Records>>;

/** A member set to undefined is deleted. */
export type Changes = { readonly [K in keyof Records]?: Records[K] | undefined };

/** Deletes all of the user's records. Keyset, marks and time stay: they belong to the server, not to the user. */
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
  ledger: undefined,
};

interface Schema extends DBSchema {
  state: { key: string; value: unknown };
  /** Recorded acts, until they are accepted or the user drops them. */
  ledger: { key: EntryKey; value: KeptEntry };
  /** The app's own records, which it may write together with an act. */
  app: { key: IDBValidKey; value: unknown };
}

type StoreName = 'state' | 'ledger' | 'app';

/** A transaction over several object stores of the database. */
export type Transaction<Mode extends IDBTransactionMode = 'readwrite'> = IDBPTransaction<Schema, StoreName[], Mode>;

/**
 * Version 1: the object store "state"; version 2: "ledger" and "app". Later versions may only add to it, so that a page of
 * the previous version, after a rollback or in a tab left open, still works.
 */
export const schemaVersion = 2;

/** Longer operations hang permanently in some engines, or are blocked by a page that does not close its connection. */
const patience = 5_000;

/**
 * Store keeps records in IndexedDB, opened on demand and reopened after a lost connection. Rejects with
 * `storage_unavailable` only.
 */
export class Store {
  readonly #name: string;
  #database: Promise<IDBPDatabase<Schema>> | undefined;
  /** The version to open; undefined: the existing one. */
  version: number | undefined;
  /** The failure of the last use; undefined: none. */
  failure: unknown;
  /** Whether an older version's tab blocked the last opening. */
  blocked = false;

  constructor(name: string, version = schemaVersion) {
    this.#name = name;
    this.version = version;
  }

  /** Reads all records in one transaction. */
  read(): Promise<Held> {
    return this.transact(['state'], 'readonly', readAll);
  }

  /**
   * Compares and swaps: `change` gets the records and returns the changes, or null for none, in one transaction over `names`,
   * to which it may write. Resolves once the transaction is on disk, with whether there were changes.
   */
  update(
    change: (held: Held, transaction: Transaction) => Changes | null | Promise<Changes | null>,
    names: StoreName[] = ['state'],
  ): Promise<boolean> {
    return this.transact(names, 'readwrite', async (transaction) => {
      const changes = await change(await readAll(transaction), transaction);
      const state = transaction.objectStore('state');
      const writes = Object.entries(changes ?? {}).map(([key, value]) =>
        value === undefined ? state.delete(key) : state.put(value, key),
      );
      await Promise.all(writes);
      return changes !== null;
    });
  }

  /**
   * Runs `work` in one transaction, which its failure undoes. Resolves once the transaction is on disk. `work` may await
   * nothing but requests of the transaction. Its own {@link HoldfastError} is passed on.
   */
  transact<T, Mode extends 'readonly' | 'readwrite'>(
    names: StoreName[],
    mode: Mode,
    work: (transaction: Transaction<Mode>) => T | Promise<T>,
  ): Promise<T> {
    return this.#attempt(async (database) => {
      const transaction = database.transaction(names, mode, { durability: 'strict' });
      try {
        const result = await work(transaction);
        await transaction.done;
        return result;
      } catch (error) {
        // The requests of an aborted transaction do not name the cause.
        const cause = transaction.error ?? error;
        // A value that cannot be cloned throws before its request exists; without the abort, the others would be committed.
        if (mode === 'readwrite') abort(transaction);
        throw cause;
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
      if (cause instanceof HoldfastError) throw cause;
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
        if (oldVersion < 2) for (const name of ['ledger', 'app'] as const) database.createObjectStore(name);
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
      // Close a late connection: left open, it would block the next version's upgrade.
      connecting.then((late) => late.close()).catch(() => {});
    });
    this.#database = opening;
    return opening;
  }
}

export async function readAll(transaction: Transaction<'readonly' | 'readwrite'>): Promise<Held> {
  const store = transaction.objectStore('state');
  const [keys, values] = await Promise.all([store.getAllKeys(), store.getAll()]);
  return Object.fromEntries(keys.map((key, index) => [key, values[index]]));
}

/** Bounds opening and deleting. The timer may run out harmlessly: by then, the promise is settled. */
export function withTimeout<T>(work: Promise<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    work.then(resolve, reject);
    setTimeout(() => reject(new Error('IndexedDB is silent')), patience);
  });
}

/**
 * WebKit throws UnknownError when its storage process is gone; a transaction on a closed connection throws
 * InvalidStateError.
 */
function isConnectionLost(error: unknown): boolean {
  return error instanceof Error && /^(InvalidState|Unknown)Error$/.test(error.name);
}

function abort(transaction: { abort(): void; done: Promise<void> }): void {
  transaction.done.catch(() => {});
  try {
    transaction.abort();
  } catch {
    // The transaction has already ended.
  }
}
