// The service worker of an app built with @holdfast/vite.

import { origin, roots } from 'virtual:holdfast';
import { reconcileInBackground } from '@holdfast/client/worker';
import { clientsClaim } from 'workbox-core';
import { cleanupOutdatedCaches, createHandlerBoundToURL, precacheAndRoute } from 'workbox-precaching';
import { NavigationRoute, registerRoute } from 'workbox-routing';

/** Paths of a server on the page's own origin, which no cache may answer. */
const serverPaths = [/^\/v1([/?]|$)/, /^\/admin([/?]|$)/, /^\/support([/?]|$)/, /^\/\.well-known\//];

precacheAndRoute(self.__WB_MANIFEST);
cleanupOutdatedCaches();
registerRoute(new NavigationRoute(createHandlerBoundToURL('/index.html'), { denylist: serverPaths }));

const giveWay = reconcileInBackground({ origin, roots });

// The first worker takes over the open page at once. A later one waits until all tabs are closed, or until one of them says
// that it may take over.
clientsClaim();
self.addEventListener('message', ({ data }) => {
  if (data === 'activate') void self.skipWaiting();
  if (data === 'give way') giveWay();
});
