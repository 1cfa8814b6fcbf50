import { compactVerify, decodeProtectedHeader, importJWK } from 'jose';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { type ExplainOptions, explain } from '../src/explanation.ts';
import { stubBrowser } from './support/browser.ts';
import { Profile } from './support/device.ts';
import { FakeServer, origin } from './support/fake-server.ts';

let server: FakeServer;
let profile: Profile;
let asked: Request[];

beforeEach(async () => {
  stubBrowser();
  server = await FakeServer.create();
  profile = new Profile(server);
  asked = [];
});

afterEach(() => {
  profile.close();
  vi.unstubAllGlobals();
});

const json = (body: unknown, status = 200) => Response.json(body, { status });
const revoked = {
  revision: 7,
  state: 'revoked',
  reason: 'revoked',
  since: '2026-03-01T12:00:00Z',
  paid_through: null,
  plans: [],
  features: {},
  help_url: 'mailto:help@example.org',
};

function ask(answer: Response | Error, options: Partial<ExplainOptions> = {}) {
  const fetch: typeof globalThis.fetch = async (input, init) => {
    const request = new Request(input, init);
    if (request.url === `${origin}/v1/nonce`)
      return new Response(null, { status: 204, headers: { 'DPoP-Nonce': 'n-1' } });
    asked.push(request);
    if (answer instanceof Error) throw answer;
    return answer;
  };
  return explain({ origin, database: profile.database, clock: () => profile.clock, fetch, ...options });
}

it('says since when, and where to get help, with the device’s key alone', async () => {
  await profile.openPremium();
  expect(await ask(json(revoked))).toEqual({
    revision: 7,
    state: 'revoked',
    reason: 'revoked',
    since: new Date('2026-03-01T12:00:00Z'),
    helpUrl: 'mailto:help@example.org',
  });
  const [request] = asked;
  expect(request?.method).toBe('GET');
  const proof = request?.headers.get('DPoP') ?? '';
  const { typ, alg, jwk } = decodeProtectedHeader(proof);
  expect([typ, alg]).toEqual(['dpop+jwt', 'ES256']);
  const { payload } = await compactVerify(proof, await importJWK(jwk ?? {}, alg));
  expect(JSON.parse(new TextDecoder().decode(payload))).toMatchObject({
    htm: 'GET',
    htu: `${origin}/v1/entitlements`,
    nonce: 'n-1',
  });
});

it('sends nothing if no device is linked', async () => {
  expect(await ask(json(revoked))).toBeNull();
  expect(asked).toEqual([]);
});

it.each([
  ['nothing to explain', { ...revoked, since: null, help_url: null }],
  ['an invalid time and address', { ...revoked, since: 'soon', help_url: 7 }],
  ['a script', { ...revoked, since: {}, help_url: 'javascript:alert(1)' }],
  ['an unencrypted address', { ...revoked, since: undefined, help_url: 'http://help.example.org' }],
])('ignores %s', async (_, answer) => {
  await profile.openPremium();
  expect(await ask(json(answer))).toMatchObject({ since: null, helpUrl: null });
});

it.each([
  ['no network', new TypeError('offline'), 'no_contact'],
  ["a portal's page", new Response('<html>', { headers: { 'Content-Type': 'text/html' } }), 'no_contact'],
  ['an answer of another shape', json({ state: 'revoked' }), 'no_contact'],
  ['an error without a code', json({ error: 'no' }, 500), 'no_contact'],
  ['a refusal', json({ code: 'device_unknown' }, 404), 'device_unknown'],
] as const)('%s rejects', async (_, answer, code) => {
  await profile.openPremium();
  await expect(ask(answer)).rejects.toMatchObject({ code });
});
