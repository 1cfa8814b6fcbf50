import { beforeAll, expect, test, vi } from 'vitest';

const origin = 'https://holdfast.test';
const listeners: ((event: unknown) => void)[] = [];

beforeAll(async () => {
  vi.stubGlobal('self', {
    __WB_MANIFEST: [{ url: '/', revision: '1' }],
    __WB_DISABLE_DEV_LOGS: true,
    registration: { scope: `${origin}/` },
    location: new URL(`${origin}/sw.js`),
    addEventListener: (type: string, listener: (event: unknown) => void) => {
      if (type === 'fetch') listeners.push(listener);
    },
  });
  // A development build of workbox needs it in both places.
  vi.stubGlobal('__WB_DISABLE_DEV_LOGS', true);
  vi.stubGlobal('registration', { scope: `${origin}/` });
  vi.stubGlobal('location', new URL(`${origin}/sw.js`));
  vi.stubGlobal('caches', { match: async () => new Response('kept'), open: async () => new Map() });
  await import('./sw.ts');
});

/** Whether the worker answers the request itself instead of the server. */
function answers(path: string, mode: 'navigate' | 'cors', method = 'GET'): boolean {
  const respondWith = vi.fn((answer: Promise<unknown>) => void Promise.resolve(answer).catch(() => {}));
  const request = new Request(origin + path, { method });
  // The constructor cannot create a navigation request.
  Object.defineProperty(request, 'mode', { value: mode });
  for (const listener of listeners) listener({ request, respondWith, waitUntil: () => {} });
  return respondWith.mock.calls.length > 0;
}

const modes = ['navigate', 'cors'] as const;

test('opens the app from the worker', () => {
  expect(listeners).not.toHaveLength(0);
  for (const path of ['/', '/anything', '/v1elsewhere', '/administration', '/supporters'])
    expect(answers(path, 'navigate')).toBe(true);
  expect(answers('/', 'cors')).toBe(true);
});

test.each([
  '/v1',
  '/v1/session',
  '/v1/reconcile',
  '/v1/nonce?x=/',
  '/admin',
  '/admin/v1/users',
  '/support',
  '/support/',
  '/support?x',
  '/support/assets/index-Ab3dEf9h.js',
  '/.well-known/jwks.json',
  '/.well-known/webauthn',
  '/openapi.yaml',
  '/v1?x',
  '/openapi.yaml?x',
])('leaves %s to the server', (path) => {
  for (const mode of modes)
    for (const method of ['GET', 'POST', 'DELETE']) expect(answers(path, mode, method)).toBe(false);
});
