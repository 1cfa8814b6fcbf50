import { beforeAll, describe, expect, it } from 'vitest';
import type { Keyset } from '../src/verify/keyset.ts';
import { verifyKeyset } from '../src/verify/keyset.ts';
import { trustRoots } from '../src/verify/trusted-roots.ts';
import { day, epoch, FakeServer, origin } from './support/fake-server.ts';
import { type Expectations, judge } from './support/judge.ts';
import { encode, newSigner } from './support/signer.ts';

type Json = Record<string, unknown>;

let server: FakeServer;
let keyset: Keyset;

beforeAll(async () => {
  server = await FakeServer.create();
  const roots = await trustRoots(server.roots);
  keyset = await verifyKeyset(await server.keyset(), { roots, issuer: origin, marks: [] });
});

const own = { device: 'device', cnf: { jkt: 'thumbprint' }, proof: 'proof' };
const expectations = (): Expectations => ({
  keyset,
  issuer: origin,
  audience: origin,
  now: epoch * 1000,
  sub: server.user.id,
  device: 'device',
  jkt: 'thumbprint',
  proof: 'proof',
  minRevision: 1,
});
const verify = (jws: string, changes: Partial<Expectations> = {}) => judge(jws, { ...expectations(), ...changes });
const header = (changes: Json = {}) => ({ alg: 'ES256', kid: server.signer.kid, typ: 'entitlement+jwt', ...changes });
const signed = (head: unknown, claims: unknown = {}) => server.signer.sign(head, claims);
const good = (claims: Json = {}) => server.document({ ...own, ...claims });
const without = async (name: string) => {
  server.bend = ({ [name]: _, ...rest }) => rest;
  const jws = await good();
  server.bend = (claims) => claims;
  return jws;
};

async function refused(code: string, jws: string, changes?: Partial<Expectations>) {
  await expect(verify(jws, changes), code).rejects.toMatchObject({ code });
}

describe('a document', () => {
  it('is read', async () => {
    expect(await verify(await good({ unknown: 'claim' }))).toMatchObject({
      state: 'active',
      features: { export: {}, notes: { limit: 500 } },
      rev: 1,
      plans: ['premium'],
    });
  });

  it('is malformed in any other encoding', async () => {
    const jws = await good();
    const [head, claims, signature] = jws.split('.');
    const last = signature?.at(-1) ?? '';
    // The last character of a 64-byte signature carries 2 bits, so its neighbour decodes to the same bytes.
    const twin = String.fromCharCode(last.charCodeAt(0) + 1);
    const bad = [
      '',
      'a.b',
      `${jws}.`,
      `${jws}=`,
      `${jws} `,
      ` ${jws}`,
      `${jws}\n`,
      `${head}.${claims}`,
      `${head}!.${claims}.${signature}`,
      `${head}.${claims}.${signature?.slice(0, -1)}${twin}`,
      `${head?.slice(0, -1)}.${claims}.${signature}`,
      JSON.stringify({ protected: head, payload: claims, signature }),
      await signed('[]'),
      await signed('null'),
      await signed('{'),
      await signed('\ufeff{"alg":"ES256"}'),
      await signed(`{"alg":"ES256","alg":"ES256","kid":"${server.signer.kid}","typ":"entitlement+jwt"}`),
      await signed(`{"alg":"none","\\u0061lg":"ES256","kid":"${server.signer.kid}","typ":"entitlement+jwt"}`),
    ];
    for (const text of bad) await refused('malformed', text);
  });

  it('has exactly three header members', async () => {
    for (const extra of ['jku', 'x5c', 'jwk', 'crit', 'b64', 'cty']) {
      await refused('header_invalid', await signed(header({ [extra]: 'x' })));
    }
    await refused('header_invalid', await signed({ alg: 'ES256', typ: 'entitlement+jwt' }));
    await refused('header_invalid', await signed(header({ kid: 1 })));
    await refused('header_invalid', await signed(header({ alg: null })));
    await refused('header_invalid', await signed('{}'));
  });

  it('has one algorithm and one type', async () => {
    for (const alg of ['none', 'HS256', 'ES384', 'RS256', 'es256', '']) {
      await refused('algorithm_invalid', await signed(header({ alg })));
    }
    for (const typ of ['JWT', 'keyset+jwt', 'passkeys+jwt', 'Entitlement+JWT', 'application/entitlement+jwt']) {
      await refused('type_invalid', await signed(header({ typ })));
    }
  });

  it('is signed by a key of the keyset', async () => {
    const stranger = await newSigner();
    await refused('key_unknown', await stranger.sign(header({ kid: stranger.kid }), {}));
    await refused('key_unknown', await signed(header({ kid: '__proto__' })));
    await refused('signature_invalid', await stranger.sign(header(), {}));
    const [head, claims, signature] = (await good()).split('.');
    await refused('signature_invalid', `${head}.${encode({ ...own, state: 'active' })}.${signature}`);
    await refused('signature_invalid', `${head}.${claims}.`);
    await refused('signature_invalid', `${head}.${claims}.${encode('short')}`);
  });

  it('has every claim', async () => {
    const names = ['iss', 'aud', 'sub', 'jti', 'iat', 'nbf', 'exp', 'refresh_after', 'rev', 'state', 'reason'];
    const more = ['paid_through', 'plans', 'features', 'device', 'cnf', 'proof', 'status'];
    for (const name of [...names, ...more]) await refused('claims_invalid', await without(name));
  });

  it('has claims of the right type that do not contradict each other', async () => {
    const bad: Json[] = [
      { iss: 1 },
      { aud: [origin] },
      { sub: '' },
      { iat: '1' },
      { iat: epoch - 1 },
      { nbf: epoch + 1 },
      { exp: epoch },
      { exp: epoch + 0.5 },
      { exp: 1e300 },
      { refresh_after: epoch - 1 },
      { refresh_after: epoch + 8 * day },
      { rev: -1 },
      { rev: '2' },
      { state: 'platinum' },
      { state: ['active'] },
      { reason: 1 },
      { paid_through: 'tomorrow' },
      { plans: 'premium' },
      { plans: [1] },
      { features: [] },
      { features: { export: true } },
      { features: { notes: { limit: -1 } } },
      { features: { notes: { limit: '500' } } },
      { state: 'revoked', reason: 'revoked' },
      { cnf: 'thumbprint' },
      { cnf: {} },
      { status: {} },
    ];
    for (const claims of bad) await refused('claims_invalid', await good(claims));
    await refused('claims_invalid', await signed(header(), '"text"'));
    await refused('claims_invalid', await signed(header(), '{"a":{"b":1,"b":2}}'));
  });

  it('is for this audience, and signed within its key’s validity', async () => {
    await refused('issuer_mismatch', await good({ iss: 'https://other.test' }));
    await refused('audience_mismatch', await good({ aud: 'https://other.test' }));
    const early = epoch - 2 * day;
    await refused('key_outside_validity', await good({ iat: early, nbf: early }));
    const late = epoch + 400 * day;
    await refused('key_outside_validity', await good({ iat: late, nbf: late, exp: late + 2, refresh_after: late }));
  });

  it('counts from its iat until its exp, to the millisecond', async () => {
    const jws = await good();
    const end = (epoch + 7 * day) * 1000;
    await refused('clock_behind', jws, { now: epoch * 1000 - 1 });
    await verify(jws, { now: epoch * 1000 });
    await verify(jws, { now: end - 1 });
    await refused('expired', jws, { now: end });
    await refused('keyset_expired', jws, { now: keyset.exp * 1000 });
  });

  it('belongs to this user, device, key, proof and revision', async () => {
    await refused('subject_mismatch', await good({ sub: 'another' }));
    await refused('device_mismatch', await good({ device: 'another' }));
    await refused('device_mismatch', await good({ cnf: { jkt: 'another' } }));
    await refused('proof_mismatch', await good({ proof: 'another' }));
    await refused('revision_rollback', await good({ rev: 0 }));
  });

  it('reports the first failure', async () => {
    await refused('issuer_mismatch', await good({ iss: 'https://other.test', aud: 'x', sub: 'y', rev: 0 }));
    await refused('expired', await good({ sub: 'y', rev: 0 }), { now: (epoch + 8 * day) * 1000 });
  });
});
