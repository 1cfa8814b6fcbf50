import { type DBSchema, type IDBPDatabase, openDB } from 'idb';
import { failingWith } from '../base/failing-with.ts';
import { withTimeout } from '../storage/store.ts';
import type { Bytes } from './bytes.ts';

/** A feature's content keys, encrypted for one passkey. */
export interface Wrap {
  /** Ascending. */
  readonly epochs: readonly number[];
  readonly iv: Bytes;
  /** The keys, in the order of the epochs. */
  readonly data: Bytes;
}

/** The wrapped content keys that this device holds for a user. */
export interface Wrapped {
  readonly user: string;
  /** The revision of the document that was held when the keys were handed over. */
  readonly revision: number;
  /** By feature, then by credential id. */
  readonly features: Readonly<Record<string, Readonly<Record<string, Wrap>>>>;
}

/** The key to which content keys are handed over. */
export interface TransportKey {
  readonly device: string;
  readonly pair: CryptoKeyPair;
}

/** See {@link Marks}. */
export interface Mark {
  readonly epoch: number;
  readonly sequence: number;
  readonly mac: Bytes;
}

interface Schema extends DBSchema {
  vault: { key: string; value: unknown };
  marks: { key: string; value: Mark };
}

/**
 * VaultStore keeps what the vault needs in a database of its own, so that apps without a vault have none. Rejects with
 * `storage_unavailable` only.
 */
export class VaultStore {
  readonly #name: string;
  #database: Promise<IDBPDatabase<Schema>> | undefined;

  constructor(name: string) {
    this.#name = name;
  }

  wrapped(): Promise<unknown> {
    return this.#using((database) => database.get('vault', 'wrapped'));
  }

  /** Replaces the wrapped keys by what `change` makes of them; undefined deletes them, null changes nothing. */
  changeWrapped(change: (held: unknown) => Wrapped | undefined | null): Promise<void> {
    return this.#using(async (database) => {
      const transaction = database.transaction('vault', 'readwrite', { durability: 'strict' });
      const next = change(await transaction.store.get('wrapped'));
      if (next === undefined) await transaction.store.delete('wrapped');
      else if (next !== null) await transaction.store.put(next, 'wrapped');
      await transaction.done;
    });
  }

  transportKey(): Promise<unknown> {
    return this.#using((database) => database.get('vault', 'key'));
  }

  setTransportKey(key: TransportKey | undefined): Promise<void> {
    return this.#using(async (database) => {
      if (key) await database.put('vault', key, 'key');
      else await database.delete('vault', 'key');
    });
  }

  mark(name: string): Promise<unknown> {
    return this.#using((database) => database.get('marks', name));
  }

  /** Stores a mark if the stored one is still `before`, and returns whether it was. */
  swapMark(name: string, before: Mark | null, next: Mark): Promise<boolean> {
    return this.#using(async (database) => {
      const transaction = database.transaction('marks', 'readwrite', { durability: 'strict' });
      const now = await transaction.store.get(name);
      const same = now?.sequence === before?.sequence && now?.epoch === before?.epoch;
      if (same) await transaction.store.put(next, name);
      await transaction.done;
      return same;
    });
  }

  async close(): Promise<void> {
    const database = this.#database;
    this.#database = undefined;
    await database?.then((open) => open.close()).catch(() => {});
  }

  /** A lost connection is reopened once. */
  #using<T>(work: (database: IDBPDatabase<Schema>) => Promise<T>): Promise<T> {
    const attempt = async () => work(await this.#open());
    return failingWith('storage_unavailable', () =>
      attempt().catch(async (error) => {
        if (!(error instanceof Error) || !/^(InvalidState|Unknown)Error$/.test(error.name)) throw error;
        await this.close();
        return attempt();
      }),
    );
  }

  #open(): Promise<IDBPDatabase<Schema>> {
    if (this.#database) return this.#database;
    const forget = () => {
      if (this.#database === opening) this.#database = undefined;
    };
    const opening = withTimeout(
      openDB<Schema>(this.#name, 1, {
        upgrade(database) {
          database.createObjectStore('vault');
          database.createObjectStore('marks');
        },
        blocking: () => void this.close(),
        terminated: forget,
      }),
    );
    opening.catch(forget);
    this.#database = opening;
    return opening;
  }
}
