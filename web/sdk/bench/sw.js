// Caches the pages and serves them: the minimum that both pages need.
const files = ['__FILES__'];
const roots = { revision: '__ROOTS_REVISION__', integrity: '__ROOTS_INTEGRITY__' };

self.addEventListener('install', (event) => {
  event.waitUntil(
    caches.open(roots.revision).then(async (cache) => {
      await cache.addAll([...files, new Request('/roots.json', { integrity: roots.integrity, cache: 'no-store' })]);
    }),
  );
});

self.addEventListener('activate', (event) => event.waitUntil(self.clients.claim()));

self.addEventListener('fetch', (event) => {
  const { pathname } = new URL(event.request.url);
  if (event.request.method !== 'GET' || pathname.startsWith('/v1/')) return;
  event.respondWith(caches.match(event.request).then((kept) => kept ?? fetch(event.request)));
});
