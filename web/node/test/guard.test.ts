import { readFileSync } from 'node:fs';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { Guard, type GuardOptions } from '../src/guard.ts';
import { MemoryReplays } from '../src/replays.ts';
import { makePair, origin, World } from './support/world.ts';

let world: World;
let guard: Guard;
let document: string;

beforeEach(async () => {
  world = await World.begin();
  guard = new Guard(world.options);
  document = await world.document();
});

afterEach(() => world.end());

const request = (token: string, proof: string, url = '/export?page=2') => {
  const headers = new Headers({ Authorization: `DPoP ${token}`, DPoP: proof });
  return { method: 'POST', url, headers };
};

const nonceOf = async (from = guard) =>
  (await from.authenticate({ method: 'GET', url: '/', headers: new Headers() })).headers['DPoP-Nonce'] ?? '';

/** The outcome of a good request: the user, or the code of the refusal. */
async function outcome(token = document, judge = guard): Promise<string> {
  const verdict = await judge.requireFeature(request(token, await world.prove(token, await nonceOf(judge))), 'export');
  return verdict.ok ? verdict.grant.user : verdict.code;
}

const ago = async (seconds: number, change: () => unknown = () => {}) => {
  world.now += seconds * 1000;
  await change();
};

describe('a request', () => {
  it('passes once, and a replay of it does not', async () => {
    const good = request(document, await world.prove(document, await nonceOf()));
    expect(await guard.requireFeature(good, 'export')).toMatchObject({ ok: true, grant: { user: 'ada' } });
    expect(await guard.requireFeature(good, 'export')).toMatchObject({ ok: false, code: 'invalid_dpop_proof' });
  });

  it('cannot be replayed at another replica with the same store', async () => {
    const replays = new MemoryReplays(() => world.now);
    const [one, two] = [new Guard({ ...world.options, replays }), new Guard({ ...world.options, replays })];
    const good = request(document, await world.prove(document, await nonceOf(one)));
    expect((await one.authenticate(good)).ok).toBe(true);
    expect(await two.authenticate(good)).toMatchObject({ ok: false, code: 'invalid_dpop_proof' });
  });

  it('is refused while the replay store fails', async () => {
    const reported: string[] = [];
    const add = () => Promise.reject(new Error('connection lost'));
    const broken = new Guard({ ...world.options, replays: { add }, report: ({ message }) => reported.push(message) });
    expect(await outcome(document, broken)).toBe('unavailable');
    expect(reported).toEqual(['the replay store failed']);
  });

  it('leaves nothing in the replay store unless it passes', async () => {
    const added: string[] = [];
    const judge = new Guard({ ...world.options, replays: { add: (id) => added.push(id) > 0 } });
    const stranger = await makePair();
    const foreign = await world.prove(document, await nonceOf(judge), {}, stranger);
    expect(await judge.authenticate(request(document, foreign))).toMatchObject({ code: 'device_mismatch' });
    expect(added).toEqual([]);
    await outcome(document, judge);
    expect(added).toHaveLength(1);
  });

  it('is a web-standard Request too', async () => {
    const headers = { Authorization: `DPoP ${document}`, DPoP: await world.prove(document, await nonceOf()) };
    const verdict = await guard.requireFeature(
      new Request(`${origin}/export?page=2`, { method: 'POST', headers }),
      'export',
    );
    expect(verdict.ok).toBe(true);
  });

  it('tells whether the body is the one that was signed', async () => {
    // SHA-256 of "signed"
    const body = Buffer.from(await crypto.subtle.digest('SHA-256', Buffer.from('signed'))).toString('base64url');
    const verdict = await guard.authenticate(request(document, await world.prove(document, await nonceOf(), { body })));
    expect(verdict.ok && [verdict.grant.isBody('signed'), verdict.grant.isBody('changed')]).toEqual([true, false]);
  });
});

describe('a proof', () => {
  const changes: Record<string, [object, string]> = {
    'for another method': [{ htm: 'GET' }, 'invalid_dpop_proof'],
    'for another path': [{ htu: `${origin}/me` }, 'invalid_dpop_proof'],
    'for another origin': [{ htu: 'https://evil.example.com/export' }, 'invalid_dpop_proof'],
    'for another document': [{ ath: 'AAAA' }, 'invalid_dpop_proof'],
    'without iat': [{ iat: undefined }, 'invalid_dpop_proof'],
    'without jti': [{ jti: undefined }, 'invalid_dpop_proof'],
    'with an empty jti': [{ jti: '' }, 'invalid_dpop_proof'],
    'with a long jti': [{ jti: 'a'.repeat(65) }, 'invalid_dpop_proof'],
    'with a jti that is a number': [{ jti: 1 }, 'invalid_dpop_proof'],
    'with a body hash of another length': [{ body: 'AAAA' }, 'invalid_dpop_proof'],
    'that is large': [{ padding: 'a'.repeat(9000) }, 'invalid_dpop_proof'],
    'without a nonce': [{ nonce: undefined }, 'use_dpop_nonce'],
    'with a nonce made up': [{ nonce: 'A'.repeat(43) }, 'use_dpop_nonce'],
  };
  it.each(Object.entries(changes))('%s is refused', async (_, [change, code]) => {
    const verdict = await guard.authenticate(
      request(document, await world.prove(document, await nonceOf(), { ...change })),
    );
    expect(verdict).toMatchObject({ ok: false, status: 401, code });
  });

  it('needs a nonce of this back end that is at most five minutes old', async () => {
    const stranger = new Guard({ ...world.options, nonceSecret: new Uint8Array(32).fill(8) });
    const judge = async (nonce: string) => guard.authenticate(request(document, await world.prove(document, nonce)));
    expect(await judge(await nonceOf(stranger))).toMatchObject({ code: 'use_dpop_nonce' });
    const nonce = await nonceOf();
    await ago(300);
    expect(await judge(nonce)).toMatchObject({ ok: true });
    await ago(1);
    expect(await judge(nonce)).toMatchObject({ code: 'use_dpop_nonce' });
  });
});

describe('a document', () => {
  it.each([
    [
      'that has ended',
      { exp: 1_767_000_000 - 1, iat: 1_767_000_000 - 10, nbf: 1_767_000_000 - 10, refresh_after: 1_767_000_000 - 5 },
      'expired',
    ],
    ['of another issuer', { iss: 'https://evil.example.com' }, 'issuer_mismatch'],
    ['for another audience', { aud: 'https://evil.example.com' }, 'audience_mismatch'],
    ['of another device', { cnf: { jkt: 'AAAA' } }, 'device_mismatch'],
    ['without the feature', { features: { notes: {} } }, 'forbidden'],
    ['with a feature named like a method', { features: JSON.parse('{"__proto__":{}}') }, 'forbidden'],
    ['of a removed device', { state: 'none', reason: 'device_removed', features: {} }, 'device_removed'],
    ['of a copied device', { state: 'none', reason: 'device_forked', features: {} }, 'device_forked'],
    ['whose index is outside the list', { status: { status_list: { idx: 16, uri: '' } } }, 'claims_invalid'],
  ])('%s is refused', async (_, changes, code) => {
    if ('status' in changes && changes.status) changes.status.status_list.uri = `${world.issuer}/v1/status-lists/0`;
    expect(await outcome(await world.document(changes))).toBe(code);
  });

  it.each(['http://127.0.0.1:1/v1/status-lists/0', 'https://evil.example.com/v1/status-lists/0'])(
    'whose status list is elsewhere, at %s, makes no request there',
    async (uri) => {
      expect(await outcome(await world.document({ status: { status_list: { idx: 12, uri } } }))).toBe('claims_invalid');
    },
  );

  it('signed by another key is refused', async () => {
    world.signing = await makePair();
    expect(await outcome(await world.document())).toBe('key_unknown');
  });

  it('that has passed before is still bound to its device and its end', async () => {
    expect(await outcome()).toBe('ada');
    const stranger = await world.prove(document, await nonceOf(), {}, await makePair());
    expect(await guard.authenticate(request(document, stranger))).toMatchObject({ code: 'device_mismatch' });
    await ago(3600);
    expect(await outcome()).toBe('expired');
  });

  it('authenticates its user without a feature', async () => {
    const poor = await world.document({ state: 'revoked', reason: 'revoked', features: {} });
    const verdict = await guard.authenticate(request(poor, await world.prove(poor, await nonceOf())));
    expect(verdict.ok && verdict.grant.user).toBe('ada');
  });

  it.each([
    [1, 'revoked'],
    [2, 'suspended'],
    [3, 'revoked'],
  ])('with status %d is refused as %s', async (status, code) => {
    world.status = status;
    expect(await outcome()).toBe(code);
  });
});

describe('the issuer', () => {
  it('is asked for the status once in its ttl, and a revocation counts after it', async () => {
    for (let i = 0; i < 3; i++) expect(await outcome()).toBe('ada');
    expect(world.asked.get('/v1/status-lists/0')).toBe(1);
    await ago(10, () => {
      world.status = 1;
    });
    expect(await outcome()).toBe('revoked');
  });

  it('may be out of reach for five minutes, and no longer', async () => {
    expect(await outcome()).toBe('ada');
    world.down = true;
    for (const [seconds, expected] of [
      [11, 'ada'],
      [109, 'ada'],
      [179, 'ada'],
      [1, 'unavailable'],
      [1500, 'unavailable'],
    ] as const) {
      await ago(seconds);
      expect(await outcome()).toBe(expected);
    }
    await ago(1, () => {
      world.down = false;
    });
    expect(await outcome()).toBe('ada');
  });

  it('must have answered once', async () => {
    world.down = true;
    const reported: string[] = [];
    const judge = new Guard({ ...world.options, report: ({ message }) => reported.push(message) });
    expect(await outcome(document, judge)).toBe('unavailable');
    expect(reported[0]).toContain('502');
  });

  it('has a new keyset taken at once when a document needs it, and never an old one', async () => {
    await guard.ready();
    const first = world.keyset;
    world.signing = await makePair();
    world.keyset = await world.makeKeyset({ version: 2 });
    await ago(11);
    const fresh = await world.document();
    expect(await outcome(fresh)).toBe('ada');
    world.keyset = first;
    await ago(120);
    expect(await outcome(fresh)).toBe('ada');
    await ago(300);
    expect(await outcome(fresh)).toBe('unavailable');
  });

  it('is trusted for its keys only without roots', async () => {
    const { roots: _, ...options } = world.options;
    const judge = new Guard(options);
    expect(await outcome(document, judge)).toBe('ada');
    expect(world.asked.get('/.well-known/holdfast-keyset')).toBeUndefined();
  });
});

describe('what can never work', () => {
  it.each<[string, Partial<GuardOptions>, RegExp]>([
    ['an issuer with a slash', { issuer: 'https://app.example.com/' }, /slash at the end/],
    ['an issuer without a scheme', { issuer: 'app.example.com' }, /scheme:\/\/host/],
    ['an issuer without TLS', { issuer: 'http://app.example.com' }, /neither https/],
    ['an origin with a path', { origin: 'https://api.example.com/v1' }, /without a path/],
    ['a short secret', { nonceSecret: new Uint8Array(31) }, /31 bytes/],
  ])('%s: the constructor says why', (_, change, why) => {
    expect(() => new Guard({ ...world.options, ...change })).toThrow(why);
  });

  it('a wrong root, issuer or address: ready() says why', async () => {
    const other = await makePair();
    const ready = (change: Partial<GuardOptions>) => new Guard({ ...world.options, ...change }).ready();
    await expect(ready({ roots: { current: other.jwk, next: null } })).rejects.toThrow(
      /holdfast keys roots.*root_unknown/,
    );
    await expect(ready({ roots: {} as never })).rejects.toThrow(/roots\.json/);
    await expect(ready({ issuer: world.issuer.replace('127.0.0.1', 'localhost') })).rejects.toThrow(/--origin/);
    await expect(ready({ issuer: 'http://127.0.0.1:1' })).rejects.toThrow(/127\.0\.0\.1:1.*(ECONNREFUSED|bad port)/);
    await expect(ready({})).resolves.toBeUndefined();
  });
});

/** The Go guard runs the same steps. */
const vectors: {
  readonly life: number;
  readonly steps: readonly { readonly at: number; readonly id: string; readonly added: boolean }[];
} = JSON.parse(readFileSync(new URL('../../../entitlements/host/testdata/replays.json', import.meta.url), 'utf8'));

it('forgets a proof only when its nonce has ended', () => {
  const { life, steps } = vectors;
  let now = 0;
  const replays = new MemoryReplays(() => now);
  const added = steps.map(({ at, id }) => {
    now = at;
    return replays.add(id, life);
  });
  expect(added).toEqual(steps.map(({ added }) => added));
});
