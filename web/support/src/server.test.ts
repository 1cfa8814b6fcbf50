import { HoldfastError } from '@holdfast/client';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { now } from './clock.ts';
import { call, invisible, keyring } from './server.ts';

const fetched = vi.fn<typeof fetch>();

beforeEach(() => {
  fetched.mockReset();
  vi.stubGlobal('fetch', fetched);
});
afterEach(() => void vi.unstubAllGlobals());

function answers(status: number, body: string | null, headers: Record<string, string>): void {
  fetched.mockResolvedValueOnce(new Response(body, { status, headers }));
}
const json = { 'Content-Type': 'application/json' };
const problem = { 'Content-Type': 'application/problem+json' };

test('returns the body of a success, and sends JSON with its key', async () => {
  answers(200, '{"revision":4}', json);
  expect(await call('POST', '/admin/v1/x', { body: { reason: 'r' }, key: 'k' })).toEqual({ revision: 4 });
  expect(fetched).toHaveBeenCalledWith(
    '/admin/v1/x',
    expect.objectContaining({
      method: 'POST',
      body: '{"reason":"r"}',
      credentials: 'same-origin',
      headers: { 'Content-Type': 'application/json', 'Idempotency-Key': 'k' },
    }),
  );
  answers(204, null, { 'Cache-Control': 'no-store' });
  expect(await call('DELETE', '/v1/session')).toBeUndefined();
});

test('removes the invisible characters that the server names', async () => {
  const [vectors] = Object.values(
    import.meta.glob<string>('../../../passkey/names/testdata/invisible.json', {
      query: '?raw',
      import: 'default',
      eager: true,
    }),
  );
  const ranges: [string, string][] = JSON.parse(vectors ?? '');
  const named = new Set<number>();
  for (const [first, last] of ranges) {
    for (let code = Number.parseInt(first, 16); code <= Number.parseInt(last, 16); code++) named.add(code);
  }
  expect(named.size).toBeGreaterThan(4000);
  const differing: string[] = [];
  for (let code = 0; code <= 0x10ffff; code++) {
    const dropped = String.fromCodePoint(code).replace(invisible, '') === '';
    if (dropped !== named.has(code)) differing.push(code.toString(16));
  }
  expect(differing).toEqual([]);
  answers(200, JSON.stringify({ reasons: ['\u200bno\u2067t\u061c \ufeffpaid\u{e0041}'] }), json);
  expect(await call('GET', '/')).toEqual({ reasons: ['not paid'] });
});

test('rejects with the code and sentence of a refusal', async () => {
  answers(429, '{"code":"rate_limited","detail":"Later."}', { ...problem, 'Retry-After': '7' });
  const error = await call('GET', '/').catch((error: unknown) => error);
  expect(error).toBeInstanceOf(HoldfastError);
  expect(error).toMatchObject({ code: 'rate_limited', message: 'Later.', status: 429, retryAfter: 7 });
});

test.each([
  ['a portal’s page', 200, '<html>', { 'Content-Type': 'text/html' }],
  ['a portal’s emptiness', 204, null, {}],
  ['half an answer', 200, '{"revi', json],
  ['a proxy’s error', 502, 'Bad gateway', { 'Content-Type': 'text/plain' }],
  ['a problem without a code', 500, '{}', problem],
] as const)('%s is no contact', async (_, status, body, headers) => {
  answers(status, body, headers);
  await expect(call('GET', '/')).rejects.toMatchObject({ code: 'no_contact' });
});

test('a timeout is no contact; a request aborted by the page is not', async () => {
  fetched.mockRejectedValueOnce(new TypeError('failed'));
  await expect(call('GET', '/')).rejects.toMatchObject({ code: 'no_contact' });
  fetched.mockRejectedValueOnce(new DOMException('', 'AbortError'));
  await expect(call('GET', '/', { signal: AbortSignal.abort() })).rejects.toMatchObject({ code: 'cancelled' });
});

test('uses the server’s time, however wrong the local clock', async () => {
  answers(200, '{}', { ...json, Date: 'Wed, 01 Jan 2031 12:00:00 GMT' });
  await call('GET', '/');
  expect(Math.abs(now.value.getTime() - Date.parse('2031-01-01T12:00:00Z'))).toBeLessThan(2_000);
  answers(200, '{}', { ...json, Date: new Date().toUTCString() });
  await call('GET', '/');
  expect(Math.abs(now.value.getTime() - Date.now())).toBeLessThan(2_000);
});

test('tries of one change share a key, and another change has another', () => {
  const key = keyring();
  const first = key({ reason: 'a' });
  expect(key({ reason: 'a' })).toBe(first);
  expect(key({ reason: 'b' })).not.toBe(first);
  expect(keyring()({ reason: 'a' })).not.toBe(first);
});
