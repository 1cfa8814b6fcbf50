/// <reference lib="webworker" />
import { cacheNames } from 'workbox-core';
import { getCacheKeyForURL, type PrecacheEntry } from 'workbox-precaching';

declare const self: ServiceWorkerGlobalScope;

/** Milliseconds after which the fetch of a file is abandoned for now. */
const patience = 15_000;

let filling: Promise<boolean> | undefined;

/**
 * Fetches files missing from the precache, which browsers and cleaning tools empty without ending the worker. Resolves with
 * whether the precache is now complete; never rejects. If the server no longer has this version's files, looks for an
 * update.
 */
export function refill(entries: readonly PrecacheEntry[]): Promise<boolean> {
  filling ??= fill(entries)
    .catch(() => false)
    .finally(() => {
      filling = undefined;
    });
  return filling;
}

async function fill(entries: readonly PrecacheEntry[]): Promise<boolean> {
  const cache = await caches.open(cacheNames.precache);
  const held = new Set((await cache.keys()).map(({ url }) => url));
  const missing = entries.filter(({ url }) => !held.has(getCacheKeyForURL(url) ?? url));
  const filled = await Promise.allSettled(
    missing.map(async ({ url, integrity }) => {
      const answer = await fetch(url, {
        ...(integrity && { integrity }),
        cache: 'no-cache',
        credentials: 'same-origin',
        // A worker with a pending request blocks the next version's worker.
        signal: AbortSignal.timeout(patience),
      });
      if (!answer.ok || answer.redirected) throw new Error(`${url}: ${answer.status}`);
      await cache.put(getCacheKeyForURL(url) ?? url, answer);
    }),
  );
  const whole = filled.every(({ status }) => status === 'fulfilled');
  if (!whole) self.registration.update().catch(() => {});
  return whole;
}
