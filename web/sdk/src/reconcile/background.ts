import type { Context } from '../state/context.ts';

/** The tag of both kinds of sync, under which the browser wakes the service worker. */
export const syncTag = 'holdfast-reconcile';

const halfADay = 12 * 3_600_000;

/** Background Sync and Periodic Background Sync: Chromium has them, TypeScript's DOM does not. */
interface Registration extends ServiceWorkerRegistration {
  readonly sync?: { register(tag: string): Promise<void> };
  readonly periodicSync?: { register(tag: string, options: { minInterval: number }): Promise<void> };
}

/**
 * Asks for a sync after a run found no contact, so that the worker can run once there is a network, even with no page open.
 * The owed run is stored first, so that the worker can tell whether a page has made up for it meanwhile.
 */
export async function makeUpLater({ store }: Context): Promise<void> {
  try {
    const registration: Registration | undefined = await navigator.serviceWorker.getRegistration();
    if (!registration?.sync) return;
    await store.update(({ lineage, owed }) => (lineage === owed ? null : { owed: lineage }));
    await registration.sync.register(syncTag);
  } catch {
    // Unsupported, unavailable or not permitted. Background sync is optional.
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
