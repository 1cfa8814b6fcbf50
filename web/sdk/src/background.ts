import type { Context } from './context.ts';

/** The tag of both kinds of sync, under which the browser wakes the service worker. */
export const syncTag = 'holdfast-reconcile';

const halfADay = 12 * 3_600_000;

/** Background Sync and Periodic Background Sync: Chromium has them, TypeScript's DOM does not. */
interface Registration extends ServiceWorkerRegistration {
  readonly sync?: { register(tag: string): Promise<void> };
  readonly periodicSync?: { register(tag: string, options: { minInterval: number }): Promise<void> };
}

/**
 * A run found no contact: lets the worker make up for it when there is some, even if no page is open by then. What is
 * owed is written down first, so that the worker can tell whether a page has made up for it meanwhile.
 */
export async function makeUpLater({ store }: Context): Promise<void> {
  try {
    const registration: Registration | undefined = await navigator.serviceWorker.getRegistration();
    if (!registration?.sync) return;
    await store.update(({ lineage, owed }) => (lineage === owed ? null : { owed: lineage }));
    await registration.sync.register(syncTag);
  } catch {
    // Not here, not now, or not permitted: an extra, no more.
  }
}

/** Lets the worker renew the document twice a day while no page is open, where the user has installed the app. */
export async function renewWhileClosed(): Promise<void> {
  try {
    const { periodicSync }: Registration = await navigator.serviceWorker.ready;
    const permission = { name: 'periodic-background-sync' as PermissionName };
    if (!periodicSync || (await navigator.permissions.query(permission)).state !== 'granted') return;
    await periodicSync.register(syncTag, { minInterval: halfADay });
  } catch {
    // As above.
  }
}
