import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { digest } from '../src/base/digest.ts';
import type { Holdfast } from '../src/index.ts';
import { Profile, stubPasskeys } from './support/device.ts';
import { day, epoch, FakeServer, type Interference, json, origin, problem } from './support/fake-server.ts';
import { decode, newSigner } from './support/signer.ts';

let server: FakeServer;
let profile: Profile;
let hf: Holdfast;

beforeEach(async () => {
  stubPasskeys();
  server = await FakeServer.create();
  profile = new Profile(server);
  hf = await profile.openPremium();
});

afterEach(() => {
  profile.close();
  vi.unstubAllGlobals();
});

const free = () => {
  server.revision++;
  server.claims = { state: 'revoked', reason: 'revoked', features: {}, plans: [] };
};
const only =
  (path: string, interfere: Interference): Interference =>
  (request, pass) =>
    request.url.endsWith(path) ? interfere(request, pass) : undefined;
const html = () => new Response('<h1>Sign in to the airport</h1>', { headers: { 'Content-Type': 'text/html' } });

describe('an accepted answer', () => {
  it('grants features and limits', () => {
    expect(hf.has('export')).toBe(true);
    expect(hf.has('toString')).toBe(false);
    expect(hf.limit('notes')).toBe(500);
    expect(hf.limit('export')).toBeUndefined();
    expect(hf.entitlement).toMatchObject({ state: 'active', error: null, signInNeeded: false, revision: 1 });
    expect(hf.entitlement.until).toEqual(new Date((epoch + 7 * day) * 1000));
  });

  it('takes features away, with the reason', async () => {
    free();
    expect(await hf.reconcile()).toEqual({ outcome: 'reconciled' });
    expect(hf.has('export')).toBe(false);
    expect(hf.entitlement).toMatchObject({ state: 'revoked', reason: 'revoked', features: {} });
  });

  it('survives a restart without the server', async () => {
    profile.close();
    server.interfere = async () => Promise.reject(new TypeError('offline'));
    const again = await profile.open();
    expect(again.has('export')).toBe(true);
    expect(again.user).toEqual(server.user);
  });

  it('corrects a clock that is years off', async () => {
    profile.clock += 400 * day * 1000;
    expect(hf.entitlement).toMatchObject({ state: 'expired', error: 'keyset_expired' });
    expect(await hf.reconcile()).toEqual({ outcome: 'reconciled' });
    expect(hf.has('export')).toBe(true);
  });

  it('includes a newer keyset', async () => {
    server.keysetVersion = 2;
    server.signer = await newSigner();
    expect(await hf.reconcile()).toEqual({ outcome: 'reconciled' });
    expect((await profile.held()).marks).toMatchObject([{ version: 2 }]);
    expect(hf.has('export')).toBe(true);
  });

  it('may be a signed fork', async () => {
    server.forked = true;
    server.revision++;
    expect(await hf.reconcile()).toEqual({ outcome: 'forked' });
    expect(hf.has('export')).toBe(false);
    expect(hf.entitlement).toMatchObject({ state: 'revoked', reason: 'device_forked', signInNeeded: true });
  });

  it('includes keyset and passkeys with a fork too', async () => {
    server.forked = true;
    server.keysetVersion = 2;
    server.signer = await newSigner();
    const { passkeys } = await profile.held();
    expect(await hf.reconcile()).toEqual({ outcome: 'forked' });
    const held = await profile.held();
    expect(held.marks).toMatchObject([{ version: 2 }]);
    expect(held.passkeys).not.toBe(passkeys);
    expect(hf.entitlement).toMatchObject({ reason: 'device_forked', error: null });
  });
});

describe('the passkeys document', () => {
  let asked: unknown;
  let sent: unknown;

  beforeEach(() => {
    server.interfere = only('/v1/reconcile', async (request, pass) => {
      asked = (await request.clone().json()).passkeys;
      const response = await pass();
      sent = (await response.clone().json()).passkeys;
      return response;
    });
  });
  const list = async () => decode((await profile.held()).passkeys?.split('.')[1]).passkeys;

  it('is not sent again, and stays', async () => {
    const { passkeys } = await profile.held();
    expect(await hf.reconcile()).toEqual({ outcome: 'reconciled' });
    expect(asked).toEqual(await digest(`${passkeys}`.slice(0, `${passkeys}`.lastIndexOf('.'))));
    expect(sent).toBeUndefined();
    expect((await profile.held()).passkeys).toBe(passkeys);
  });

  it('is replaced when it has changed', async () => {
    server.passkeys = ['BBBB'];
    expect(await hf.reconcile()).toEqual({ outcome: 'reconciled' });
    expect(await list()).toMatchObject([{ id: 'BBBB' }]);
  });

  it.each<[string, () => unknown]>([
    ['lost', () => profile.tamper({ passkeys: undefined })],
    ['damaged', async () => profile.tamper({ passkeys: `${(await profile.held()).passkeys?.slice(0, -4)}AAAA` })],
    ['not a string', () => profile.tamper({ passkeys: 5 as unknown as string })],
    [
      'signed by a key that has had its turn',
      async () => {
        server.signer = await newSigner();
        server.keysetVersion = 2;
      },
    ],
    ['about to end', () => (server.now += server.window)],
  ])('is sent again if it is %s', async (_, change) => {
    await change();
    expect(await hf.reconcile()).toEqual({ outcome: 'reconciled' });
    expect(sent).toBe((await profile.held()).passkeys);
    expect(await list()).toMatchObject([{ id: 'AAAA' }]);
  });

  it('is refused if the server omits it without a matching digest', async () => {
    const before = await profile.tamper({ passkeys: undefined }).then(() => profile.held());
    server.interfere = only('/v1/reconcile', async (_, pass) => {
      const { passkeys: _left, ...rest } = await (await pass()).json();
      return json(200, rest);
    });
    expect(await hf.reconcile()).toEqual({ outcome: 'no_contact' });
    expect(await profile.held()).toEqual(before);
  });
});

describe('an answer that is not the server’s changes nothing', () => {
  const cases: [string, Interference][] = [
    ['no network', async () => Promise.reject(new TypeError('offline'))],
    ['a captive portal', async () => html()],
    ['a portal that answers in JSON', async () => json(200, { document: 'x' })],
    [
      'a portal that says no JSON',
      async () => new Response('hello', { headers: { 'Content-Type': 'application/json' } }),
    ],
    ['a 500', async () => new Response('oops', { status: 500 })],
    ['a proxy that answers 404', async () => new Response('not found', { status: 404 })],
    ['a 404 of another API', async () => json(404, { error: 'device_unknown' })],
    ['a 409 without a document', async () => problem(409, 'device_forked')],
    ['an empty 204', async () => new Response(null, { status: 204 })],
    [
      'a cut body',
      async (_, pass) => {
        const whole = await (await pass()).text();
        return new Response(whole.slice(0, 100), { headers: { 'Content-Type': 'application/json' } });
      },
    ],
    [
      'a connection lost halfway',
      async () => {
        const body = new ReadableStream({ start: (controller) => controller.error(new TypeError('reset')) });
        return new Response(body, { headers: { 'Content-Type': 'application/json' } });
      },
    ],
  ];

  it.each(cases)('%s', async (_, interfere) => {
    const before = await profile.held();
    free();
    server.interfere = only('/v1/reconcile', interfere);
    expect(await hf.reconcile()).toEqual({ outcome: 'no_contact' });
    expect(hf.has('export')).toBe(true);
    expect(await profile.held()).toEqual(before);

    server.interfere = () => undefined;
    expect(await hf.reconcile()).toEqual({ outcome: 'reconciled' });
    expect(hf.has('export')).toBe(false);
  });

  it('silence', async () => {
    const slow = await profile.open({ timeout: 20 });
    server.interfere = (request) =>
      new Promise((_, reject) => request.signal.addEventListener('abort', () => reject(request.signal.reason)));
    expect(await slow.reconcile()).toEqual({ outcome: 'no_contact' });
    expect(slow.has('export')).toBe(true);
  });

  it('being asked to wait', async () => {
    server.interfere = async () => problem(503, 'unavailable', { 'Retry-After': '30' });
    expect(await hf.reconcile()).toEqual({ outcome: 'no_contact', retryAfter: 30 });
    expect(hf.has('export')).toBe(true);
  });
});

describe('an answer that fails a check is refused with its code, and changes nothing', () => {
  const cases: [string, () => void][] = [
    ['revision_rollback', () => (server.revision = 0)],
    ['device_mismatch', () => (server.bend = (claims) => ({ ...claims, device: crypto.randomUUID() }))],
    ['device_mismatch', () => (server.bend = (claims) => ({ ...claims, cnf: { jkt: 'another' } }))],
    ['subject_mismatch', () => (server.bend = (claims) => ({ ...claims, sub: 'another' }))],
    ['issuer_mismatch', () => (server.bend = (claims) => ({ ...claims, iss: 'https://other.test' }))],
    ['audience_mismatch', () => (server.bend = (claims) => ({ ...claims, aud: 'https://other.test' }))],
    ['claims_invalid', () => (server.bend = ({ exp: _, ...claims }) => claims)],
    ['claims_invalid', () => (server.bendPasskeys = (claims) => ({ ...claims, rp_id: 'other.test' }))],
    ['claims_invalid', () => (server.bendPasskeys = (claims) => ({ ...claims, exp: epoch + 1 }))],
    ['device_mismatch', () => (server.bendPasskeys = (claims) => ({ ...claims, device: 'another' }))],
    ['subject_mismatch', () => (server.bendPasskeys = (claims) => ({ ...claims, sub: 'another' }))],
  ];

  it.each(cases)('%s', async (code, bend) => {
    const before = await profile.held();
    free();
    bend();
    expect(await hf.reconcile()).toEqual({ outcome: 'refused', code });
    expect(hf.has('export')).toBe(true);
    expect(hf.entitlement).toMatchObject({ state: 'active', error: null });
    expect(await profile.held()).toEqual(before);
  });

  it('key_unknown: signed by a key that no root has vouched for', async () => {
    server.signer = await newSigner();
    expect(await hf.reconcile()).toEqual({ outcome: 'refused', code: 'key_unknown' });
  });

  it('root_unknown: the key is in a keyset of another root', async () => {
    [server.signer, server.root] = [await newSigner(), await newSigner()];
    server.keysetVersion = 2;
    expect(await hf.reconcile()).toEqual({ outcome: 'refused', code: 'root_unknown' });
  });

  it('keyset_rollback: an older keyset brings a withdrawn key back', async () => {
    server.keysetVersion = 2;
    await hf.reconcile();
    server.keysetVersion = 1;
    expect(await hf.reconcile()).toEqual({ outcome: 'refused', code: 'keyset_rollback' });
    expect(hf.has('export')).toBe(true);
  });

  it('root_unknown: the roots are loaded once more, and the answer is accepted with those', async () => {
    const roots = vi.fn(async () => server.roots);
    const tab = await profile.open({ roots });
    [server.signer, server.root] = [await newSigner(), await newSigner()];
    server.keysetVersion = 2;
    expect(await tab.reconcile()).toEqual({ outcome: 'reconciled' });
    expect(tab.entitlement).toMatchObject({ state: 'active', error: null });
    expect(roots).toHaveBeenCalledTimes(2);
  });
});

describe('a valid answer to another request counts as no contact, and changes nothing', () => {
  const bends: [string, Record<string, unknown>][] = [
    ['the same user’s and device’s, of another time', {}],
    ['another device’s', { device: crypto.randomUUID(), cnf: { jkt: 'another' } }],
    ['another user’s', { sub: 'another', device: crypto.randomUUID(), cnf: { jkt: 'another' } }],
  ];

  it.each(bends)('%s', async (_, bent) => {
    const before = await profile.held();
    const shown = hf.entitlement;
    free();
    server.bend = (claims) => ({ ...claims, ...bent, proof: 'of another request' });
    expect(await hf.reconcile()).toMatchObject({ outcome: 'no_contact' });
    expect(hf.reached).toBe(false);
    expect(hf.entitlement).toBe(shown);
    expect(await profile.held()).toEqual(before);
  });

  it('an answer replayed byte for byte', async () => {
    let recorded = '';
    server.interfere = only('/v1/reconcile', async (_, pass) => {
      const response = await pass();
      recorded = await response.clone().text();
      return response;
    });
    await hf.reconcile();
    server.interfere = only('/v1/reconcile', async () => json(200, JSON.parse(recorded)));
    expect(await hf.reconcile()).toMatchObject({ outcome: 'no_contact' });
    expect(hf.has('export')).toBe(true);
  });
});

describe('whether the server was reached', () => {
  it.each<[string, () => Promise<Response>]>([
    ['an empty 204', async () => new Response(null, { status: 204 })],
    ['cut JSON', async () => new Response('{"document":"', { headers: { 'Content-Type': 'application/json' } })],
    ['a 429 in JSON', async () => json(429, { error: 'slow down' })],
    ['a page', async () => html()],
  ])('is false behind a portal that answers with %s', async (_, portal) => {
    const told = vi.fn();
    hf.subscribe(told);
    expect(hf.reached).toBe(true);
    server.interfere = portal;
    await hf.reconcile();
    expect(hf.reached).toBe(false);
    expect(told).toHaveBeenCalledOnce();
    server.interfere = () => undefined;
    await hf.reconcile();
    expect(hf.reached).toBe(true);
  });
});

describe('the server does not know the device', () => {
  it.each([
    [404, 'device_unknown'],
    [400, 'lineage_invalid'],
  ])('%i %s: premium stays, and a tap is required', async (status, code) => {
    server.interfere = only('/v1/reconcile', async () => problem(status, code));
    expect(await hf.reconcile()).toEqual({ outcome: 'sign_in_needed' });
    expect(hf.has('export')).toBe(true);
    expect(hf.entitlement.signInNeeded).toBe(true);
  });

  it('one tap links it again, without losing premium in between', async () => {
    const before = hf.device;
    server.devices.clear();
    server.interfere = only('/v1/reconcile', async (_, pass) => {
      expect(hf.has('export')).toBe(true);
      return pass();
    });
    await hf.signIn();
    expect(hf.device).not.toBe(before);
    expect(hf.entitlement).toMatchObject({ state: 'active', signInNeeded: false });
    expect((await profile.held()).former).toBeUndefined();
  });
});

describe('lineage and nonces', () => {
  it('survives a lost answer', async () => {
    server.interfere = only('/v1/reconcile', async (_, pass) => {
      await pass();
      throw new TypeError('lost');
    });
    const { lineage } = await profile.held();
    expect(await hf.reconcile()).toEqual({ outcome: 'no_contact' });
    expect((await profile.held()).lineage).toBe(lineage);
    server.interfere = () => undefined;
    expect(await hf.reconcile()).toEqual({ outcome: 'reconciled' });
    expect((await profile.held()).lineage).not.toBe(lineage);
  });

  it('takes the new nonce and retries at once', async () => {
    server.changeNonce();
    server.requests.length = 0;
    expect(await hf.reconcile()).toEqual({ outcome: 'reconciled' });
    expect(server.requests).toEqual(['POST /v1/reconcile', 'POST /v1/reconcile']);
  });

  it('fetches a nonce if it has none, or an old one', async () => {
    profile.clock += 4 * 60_000;
    server.requests.length = 0;
    expect(await hf.reconcile()).toEqual({ outcome: 'reconciled' });
    expect(await hf.reconcile()).toEqual({ outcome: 'reconciled' });
    expect(server.requests).toEqual(['GET /v1/nonce', 'POST /v1/reconcile', 'POST /v1/reconcile']);
  });

  it.each([
    [503, 'unavailable', 30],
    [429, 'rate_limited', 7],
  ])('waits if the nonce request is refused: %i', async (status, code, retryAfter) => {
    profile.clock += 4 * 60_000;
    server.requests.length = 0;
    server.interfere = only('/v1/nonce', async () => problem(status, code, { 'Retry-After': `${retryAfter}` }));
    expect(await hf.reconcile()).toEqual({ outcome: 'no_contact', retryAfter });
    expect(server.requests).toEqual(['GET /v1/nonce']);
    expect(hf.has('export')).toBe(true);
  });

  it('gets the nonce from the refusal if the server has no route for nonces', async () => {
    profile.clock += 4 * 60_000;
    server.changeNonce();
    server.requests.length = 0;
    server.interfere = only('/v1/nonce', async () => problem(404, 'not_found'));
    expect(await hf.reconcile()).toEqual({ outcome: 'reconciled' });
    expect(server.requests).toEqual(['GET /v1/nonce', 'POST /v1/reconcile', 'POST /v1/reconcile']);
  });

  it('gives up after the third nonce', async () => {
    server.requests.length = 0;
    server.interfere = async () => problem(401, 'use_dpop_nonce', { 'DPoP-Nonce': crypto.randomUUID() });
    expect(await hf.reconcile()).toEqual({ outcome: 'no_contact' });
    expect(server.requests).toHaveLength(3);
  });

  it('reads the lineage again for every try', async () => {
    const sent: unknown[] = [];
    let first = true;
    server.interfere = only('/v1/reconcile', async (request, pass) => {
      sent.push((await request.clone().json()).lineage);
      if (!first) return pass();
      first = false;
      await profile.tamper({ lineage: 'moved-on' });
      return problem(401, 'use_dpop_nonce', { 'DPoP-Nonce': 'nonce-1' });
    });
    await hf.reconcile();
    expect(sent[1]).toBe('moved-on');
  });

  it('takes the nonce before it reads the lineage, which may advance meanwhile', async () => {
    // A nonce that answers a stale lineage must only be sent with storage as read after it.
    profile.clock += 4 * 60_000;
    const sent: unknown[] = [];
    server.interfere = async (request, pass) => {
      if (request.url.endsWith('/v1/reconcile')) sent.push((await request.clone().json()).lineage);
      const response = await pass();
      if (request.url.endsWith('/v1/nonce')) await profile.tamper({ lineage: 'moved-on' });
      return response;
    };
    await hf.reconcile();
    expect(sent).toEqual(['moved-on']);
  });

  it('stores an answer only on top of the lineage that was sent', async () => {
    server.interfere = only('/v1/reconcile', async (_, pass) => {
      const response = await pass();
      await profile.tamper({ lineage: 'of another tab' });
      return response;
    });
    const { document } = await profile.held();
    free();
    expect(await hf.reconcile()).toEqual({ outcome: 'superseded' });
    expect(await profile.held()).toMatchObject({ document, lineage: 'of another tab' });
  });

  it('two tabs without locks end with the same answer', async () => {
    const other = await profile.open();
    free();
    const outcomes = (await Promise.all([hf.reconcile(), other.reconcile()])).map(({ outcome }) => outcome);
    expect(outcomes).toContain('reconciled');
    expect(outcomes.every((outcome) => outcome === 'reconciled' || outcome === 'superseded')).toBe(true);
    await vi.waitFor(() => expect([hf.has('export'), other.has('export')]).toEqual([false, false]));
  });

  it('calls during a run share the next run', async () => {
    server.requests.length = 0;
    const first = hf.reconcile();
    await Promise.all([first, hf.reconcile(), hf.reconcile()]);
    expect(server.requests).toHaveLength(2);
  });
});

it('a key that no longer signs is replaced with a tap', async () => {
  const real = crypto.subtle.sign.bind(crypto.subtle);
  const sign = vi.spyOn(crypto.subtle, 'sign').mockImplementation((algorithm, key, data) =>
    // The challenge that checks for the key has 32 bytes; the proof's text is longer.
    data.byteLength > 32 ? Promise.reject(new DOMException('', 'OperationError')) : real(algorithm, key, data),
  );
  try {
    expect(await hf.reconcile()).toEqual({ outcome: 'sign_in_needed' });
  } finally {
    sign.mockRestore();
  }
  expect(hf.has('export')).toBe(true);
});

describe('without a user', () => {
  it('has nothing to reconcile', async () => {
    const empty = new Profile(server);
    const tab = await empty.open();
    expect(await tab.reconcile()).toEqual({ outcome: 'signed_out' });
    expect(tab.entitlement).toMatchObject({ state: 'none', error: null });
    empty.close();
  });
});

it('follows no redirect: an answer from elsewhere is not the server’s', async () => {
  const redirects: unknown[] = [];
  const tab = await profile.open({
    fetch: (input, init) => {
      redirects.push(init?.redirect);
      return server.fetch(input, init);
    },
  });
  await tab.reconcile();
  await tab.session().catch(() => {});
  expect(new Set(redirects)).toEqual(new Set(['error']));
});

it('sends requests only to its own origin', async () => {
  const seen: string[] = [];
  server.interfere = (request) => {
    seen.push(new URL(request.url).origin);
    return undefined;
  };
  await hf.reconcile();
  expect(seen).toEqual([origin]);
});
