import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { digest } from '../src/base/digest.ts';
import type { Holdfast } from '../src/index.ts';
import { Profile, stubPasskeys } from './support/device.ts';
import { day, FakeServer, json, problem } from './support/fake-server.ts';
import { decode } from './support/signer.ts';

const api = 'https://api.test';

let server: FakeServer;
let profile: Profile;
let hf: Holdfast;
/** The requests that reached the back end. */
let sent: { method: string; url: string; headers: Headers; body: string; redirect: string }[];
/** The nonce of the back end, by origin. */
let nonces: Record<string, string>;
let answer: (proof: Record<string, unknown>, nonce: string) => Response;

const challenge = (error: string) => ({ 'WWW-Authenticate': `DPoP error="${error}", algs="ES256"` });
const proofOf = ({ headers }: { headers: Headers }) => decode(headers.get('DPoP')?.split('.')[1]);

beforeEach(async () => {
  stubPasskeys();
  server = await FakeServer.create();
  profile = new Profile(server);
  sent = [];
  nonces = { [api]: 'first', 'https://other.test': 'other' };
  answer = (proof, nonce) =>
    proof.nonce === nonce
      ? json(200, { done: true }, { 'DPoP-Nonce': nonce })
      : problem(401, 'use_dpop_nonce', { 'DPoP-Nonce': nonce, ...challenge('use_dpop_nonce') });
  server.interfere = (request) => {
    const { method, url, headers, redirect } = request;
    const nonce = nonces[new URL(url).origin];
    if (nonce === undefined) return undefined;
    return request.text().then((body) => {
      const call = { method, url, headers, body, redirect };
      sent.push(call);
      return answer(proofOf(call), nonce);
    });
  };
  hf = await profile.openPremium();
});

afterEach(() => {
  profile.close();
  vi.unstubAllGlobals();
  vi.restoreAllMocks();
});

describe('fetch', () => {
  it('adds the document and a proof for method, URL without query, document and body', async () => {
    const { document = '' } = await profile.held();
    const init = { method: 'post', body: 'Grüße', headers: { 'X-Own': 'kept', Authorization: 'Bearer replaced' } };
    const response = await hf.fetch(`${api}/export/1%2F2?page=2#top`, init);
    expect(await response.json()).toEqual({ done: true });
    const [, last] = sent;
    expect(last).toMatchObject({
      method: 'POST',
      url: `${api}/export/1%2F2?page=2#top`,
      body: 'Grüße',
      redirect: 'error',
    });
    expect(last?.headers.get('Authorization')).toBe(`DPoP ${document}`);
    expect(last?.headers.get('X-Own')).toBe('kept');
    expect(last && proofOf(last)).toMatchObject({
      htm: 'POST',
      htu: `${api}/export/1%2F2`,
      nonce: 'first',
      ath: await digest(document),
      body: await digest('Grüße'),
    });
  });

  it('asks for a nonce once per origin, and takes each new one', async () => {
    await hf.fetch(`${api}/one`);
    await hf.fetch(`${api}/two`);
    expect(sent.map((call) => proofOf(call).nonce)).toEqual([undefined, 'first', 'first']);
    expect(new Set(sent.map((call) => proofOf(call).jti)).size).toBe(3);
    nonces[api] = 'second';
    await hf.fetch(`${api}/three`);
    await hf.fetch('https://other.test/');
    expect(sent.slice(3).map((call) => proofOf(call).nonce)).toEqual(['first', 'second', undefined, 'other']);
  });

  it('tries once more at most', async () => {
    let count = 0;
    answer = () => problem(401, 'use_dpop_nonce', { 'DPoP-Nonce': `${++count}`, ...challenge('use_dpop_nonce') });
    expect((await hf.fetch(api)).status).toBe(401);
    expect(sent).toHaveLength(2);
  });

  it.each([
    ['another refusal', () => problem(401, 'expired', { 'DPoP-Nonce': 'new', ...challenge('invalid_token') }), 1],
    ['no feature', () => problem(403, 'forbidden', { 'DPoP-Nonce': 'new', ...challenge('insufficient_scope') }), 1],
    ['no nonce', () => problem(401, 'use_dpop_nonce', challenge('use_dpop_nonce')), 1],
    ['a challenge that the page may not read', () => problem(401, 'use_dpop_nonce', { 'DPoP-Nonce': 'new' }), 2],
  ])('returns the answer: %s', async (_, refusal, tries) => {
    answer = refusal;
    expect((await hf.fetch(api)).ok).toBe(false);
    expect(sent).toHaveLength(tries);
  });

  it.each<[string, BodyInit]>([
    ['bytes', new Uint8Array([71, 114, 252])],
    ['a blob', new Blob(['Gr'], { type: 'text/plain' })],
    ['a form', new URLSearchParams({ a: '1' })],
    ['nothing', ''],
  ])('sends the body that the proof names, twice: %s', async (_, body) => {
    await hf.fetch(new Request(api, { method: 'PUT', body }));
    expect(sent).toHaveLength(2);
    expect(sent[0]?.body).toBe(sent[1]?.body);
    const exact = new Uint8Array(await new Response(body).arrayBuffer());
    for (const call of sent) expect(proofOf(call).body).toBe(await digest(exact));
    expect(sent[1]?.headers.get('Content-Type')).toBe(new Response(body).headers.get('Content-Type'));
  });

  it('follows no redirect, but returns one on request', async () => {
    await hf.fetch(api, { redirect: 'follow' });
    await hf.fetch(api, { redirect: 'manual' });
    expect(sent.map(({ redirect }) => redirect)).toEqual(['error', 'error', 'manual']);
  });

  it.each(['http://api.test/', 'ftp://api.test/', 'http://localhost.test/', 'data:,'])(
    '%s gets nothing',
    async (url) => {
      await expect(hf.fetch(url)).rejects.toMatchObject({ name: 'HoldfastError', code: 'url_insecure' });
      await expect(hf.proof({ url })).rejects.toMatchObject({ code: 'url_insecure' });
      expect(sent).toEqual([]);
    },
  );

  it.each(['http://localhost:3000', 'http://api.localhost', 'http://127.0.0.1:3000', 'http://[::1]:3000'])(
    '%s is this machine',
    async (origin) => {
      nonces[origin] = 'local';
      expect((await hf.fetch(`${origin}/export`)).status).toBe(200);
    },
  );

  it('reconciles first if the document has ended', async () => {
    profile.pass(8 * day * 1000);
    server.now += 8 * day;
    expect(hf.entitlement.state).toBe('expired');
    expect((await hf.fetch(api)).status).toBe(200);
    expect(hf.entitlement.state).toBe('active');
    const { document } = await profile.held();
    expect(sent.at(-1)?.headers.get('Authorization')).toBe(`DPoP ${document}`);
  });

  it('rejects with a code', async () => {
    const failing = (error: unknown) => {
      answer = () => {
        throw error;
      };
    };
    const offline = new TypeError('offline');
    failing(offline);
    await expect(hf.fetch(api)).rejects.toMatchObject({ name: 'HoldfastError', code: 'no_contact', cause: offline });
    failing(new DOMException('', 'AbortError'));
    await expect(hf.fetch(api, { signal: AbortSignal.abort() })).rejects.toMatchObject({ code: 'cancelled' });
    await hf.signOut();
    sent = [];
    await expect(hf.fetch(api)).rejects.toMatchObject({ code: 'signed_out' });
    await expect(hf.proof({ url: api })).rejects.toMatchObject({ code: 'signed_out' });
    hf.close();
    await expect(hf.fetch(api)).rejects.toMatchObject({ code: 'closed' });
    await expect(hf.proof({ url: api })).rejects.toMatchObject({ code: 'closed' });
    expect(sent).toEqual([]);
  });

  it('needs a document', async () => {
    server.interfere = () => Promise.reject(new TypeError('offline'));
    await profile.tamper({ document: undefined });
    profile.close();
    const opened = await profile.open();
    await expect(opened.fetch(api)).rejects.toMatchObject({ code: 'device_unknown' });
  });
});

describe('proof', () => {
  it('gives the two headers for a request by other means', async () => {
    const { document = '' } = await profile.held();
    const headers = await hf.proof({ url: `${api}/export?page=2`, nonce: 'given' });
    expect(Object.keys(headers)).toEqual(['Authorization', 'DPoP']);
    expect(headers.Authorization).toBe(`DPoP ${document}`);
    const claims = proofOf({ headers: new Headers({ ...headers }) });
    expect(claims).toMatchObject({ htm: 'GET', htu: `${api}/export`, nonce: 'given', ath: await digest(document) });
    expect(claims).not.toHaveProperty('body');
  });

  it('has the nonce of the last answer, and the digest of a body', async () => {
    await hf.fetch(api);
    const headers = await hf.proof({ method: 'patch', url: new URL('/notes', api), body: '' });
    expect(proofOf({ headers: new Headers({ ...headers }) })).toMatchObject({
      htm: 'PATCH',
      nonce: 'first',
      body: await digest(''),
    });
  });
});
