import type { Page } from '@playwright/test';

/** Damage to a database of the app: by a fault, by the browser, or with the developer tools. */
export type Mishap =
  | { what: 'deleted' }
  | { what: 'emptied'; store: string }
  /** Its object store is gone. */
  | { what: 'hollow' }
  /** A later release has written it. */
  | { what: 'newer' }
  | { what: 'record gone'; store: string; key: string }
  /** Without `key`, `value` names its own. */
  | { what: 'record'; store: string; key?: string; value: unknown };

/** Applies the damage to the IndexedDB of the page's origin. Every connection must close for it, as for a new release. */
export function happen(page: Page, database: string, mishap: Mishap): Promise<void> {
  return page.evaluate(
    async ([name, mishap]) => {
      const settled = <T>(request: IDBRequest<T>) =>
        new Promise<T>((resolve, reject) => {
          request.onsuccess = () => resolve(request.result);
          request.onerror = () => reject(request.error);
        });
      const remove = () => settled(indexedDB.deleteDatabase(name));
      const open = (version?: number) => settled(indexedDB.open(name, version));
      if (mishap.what === 'deleted') {
        await remove();
        return;
      }
      if (mishap.what === 'hollow') {
        await remove();
        (await open(1)).close();
        return;
      }
      const database = await open();
      const { version } = database;
      if (mishap.what === 'newer') {
        database.close();
        (await open(version + 1)).close();
        return;
      }
      const transaction = database.transaction(mishap.store, 'readwrite', { durability: 'strict' });
      const store = transaction.objectStore(mishap.store);
      if (mishap.what === 'emptied') store.clear();
      else if (mishap.what === 'record gone') store.delete(mishap.key);
      else store.put(mishap.value, mishap.key);
      await new Promise<void>((resolve, reject) => {
        transaction.oncomplete = () => resolve();
        transaction.onabort = () => reject(transaction.error);
      });
      database.close();
    },
    [database, mishap] as const,
  );
}
