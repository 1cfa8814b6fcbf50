/// <reference lib="webworker" />
import { reconcileInBackground } from '@holdfast/client/worker';
import { clientsClaim } from 'workbox-core';
import {
  cleanupOutdatedCaches,
  createHandlerBoundToURL,
  matchPrecache,
  type PrecacheEntry,
  precacheAndRoute,
} from 'workbox-precaching';
import { NavigationRoute, registerRoute } from 'workbox-routing';
import { refill } from './refill.ts';

declare const self: ServiceWorkerGlobalScope & { __WB_MANIFEST: (PrecacheEntry | string)[] };

/** Paths that only the server answers, never this worker or its cache. Matched against path and query. */
const serverPaths = [
  /^\/v1([/?]|$)/,
  /^\/admin([/?]|$)/,
  /^\/support([/?]|$)/,
  /^\/\.well-known\//,
  /^\/openapi\.yaml(\?|$)/,
];

const entries = self.__WB_MANIFEST.map((entry) => (typeof entry === 'string' ? { url: entry } : entry));

// If the page is missing here, a newer version from the server is acceptable; only a refill requires this version's.
precacheAndRoute(
  entries.map(({ integrity, ...entry }) => (entry.url === '/' || !integrity ? entry : { ...entry, integrity })),
);
cleanupOutdatedCaches();
registerRoute(new NavigationRoute(createHandlerBoundToURL('/'), { denylist: serverPaths }));

// The worker's own fetches do not pass through it, so the roots are taken from this version's precache.
const giveWay = reconcileInBackground({
  origin: self.location.origin,
  roots: async () => {
    const roots =
      (await matchPrecache('/roots.json')) ?? ((await refill(entries)) && (await matchPrecache('/roots.json')));
    if (!roots) throw new Error('/roots.json is not in the precache');
    return roots.json();
  },
});

// The first worker takes over the open page at once. A later one waits until the user agrees in one of the tabs, which
// reloads; the other tabs, with pages of the previous version, offer to reload (update.ts). The browser activates it once
// the worker in charge is idle, so that one ends its work.
clientsClaim();
self.addEventListener('message', (event) => {
  if (event.data === 'activate') void self.skipWaiting();
  if (event.data === 'give way') giveWay();
  if (event.data === 'refill') event.waitUntil(refill(entries).then((whole) => event.ports[0]?.postMessage(whole)));
});
