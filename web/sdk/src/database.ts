/** What happens to an open database from outside. */
export interface DatabaseEvents {
  /** Another tab wants a newer version, or deletes it: whoever stays open stands in its way. */
  readonly blocking: () => void;
  /** The browser has closed it. */
  readonly terminated: () => void;
}

/** Opens the IndexedDB database with its one object store, "state". */
export async function openDatabase(name: string, { blocking, terminated }: DatabaseEvents): Promise<IDBDatabase> {
  const request = indexedDB.open(name, 1);
  request.onupgradeneeded = () => void request.result.createObjectStore('state');
  const database = await result(request);
  database.onversionchange = blocking;
  database.onclose = terminated;
  return database;
}

/** All records, by key. */
export async function readAll(state: IDBObjectStore): Promise<Record<string, unknown>> {
  const [keys, values] = await Promise.all([result(state.getAllKeys()), result(state.getAll())]);
  return Object.fromEntries(keys.map((key, index) => [key, values[index]]));
}

/** Resolves once it is complete. A request that fails aborts the whole. */
export function completion(transaction: IDBTransaction): Promise<void> {
  return new Promise((resolve, reject) => {
    transaction.oncomplete = () => resolve();
    transaction.onabort = () => reject(transaction.error);
  });
}

function result<T>(request: IDBRequest<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });
}
