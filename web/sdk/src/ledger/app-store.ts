import type { Transaction } from '../storage/store.ts';

/**
 * The app's own records, in the database of this package: one IndexedDB transaction covers one database only, so this is
 * where records must be that are written together with an act. Keys are the app's choice. Sign-out leaves them alone.
 *
 * @example
 * await ledger.app((store) => store.get(id));
 */
export interface AppStore {
  get(key: IDBValidKey): Promise<unknown>;
  getAll(query?: IDBKeyRange | null, count?: number): Promise<unknown[]>;
  getAllKeys(query?: IDBKeyRange | null, count?: number): Promise<IDBValidKey[]>;
  put(value: unknown, key: IDBValidKey): Promise<unknown>;
  delete(key: IDBValidKey | IDBKeyRange): Promise<void>;
}

/** A write's failure fails the transaction, so that nobody needs to wait for it. */
export function appStore(transaction: Transaction): AppStore {
  const store = transaction.objectStore('app');
  const quiet = <T>(write: Promise<T>) => {
    write.catch(() => {});
    return write;
  };
  return {
    get: (key) => store.get(key),
    getAll: (query, count) => store.getAll(query, count),
    getAllKeys: (query, count) => store.getAllKeys(query, count),
    put: (value, key) => quiet(store.put(value, key)),
    delete: (key) => quiet(store.delete(key)),
  };
}
