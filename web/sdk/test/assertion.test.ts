import { beforeAll, describe, expect, it } from 'vitest';
import { decodeBase64url, encodeBase64url } from '../src/base/base64url.ts';
import type { JsonObject } from '../src/base/strict-json.ts';
import { type AssertionExpectations, verifyAssertion } from '../src/verify/assertion.ts';
import { importPasskeyKey, type PasskeyKey } from '../src/verify/passkey-key.ts';
import { allAlgorithms, type Ceremony, derFromP1363, SoftPasskey, sequence } from './support/soft-passkey.ts';

const challenge = crypto.getRandomValues(new Uint8Array(32));
const origin = 'https://app.holdfast.test';
const rpId = 'holdfast.test';
const user = '5f6d2a4e-0000-4000-8000-000000000001';
const handle = 'X20qTgAAQACAAAAAAAAAAQ';
const prompt: Ceremony = { challenge, origin, rpId };

/** The expectations of this prompt, for these passkeys. */
async function expecting(...passkeys: { id: string; jwk: JsonObject }[]): Promise<AssertionExpectations> {
  const keys = new Map<string, PasskeyKey>();
  for (const { id, jwk } of passkeys) {
    const key = await importPasskeyKey(jwk);
    if (key) keys.set(id, key);
  }
  return { challenge, origin, rpId, user, keys };
}

let passkey: SoftPasskey;
let expected: AssertionExpectations;

beforeAll(async () => {
  passkey = await SoftPasskey.create();
  expected = await expecting(passkey.entry);
});

describe.each(allAlgorithms)('%s', (algorithm) => {
  it('accepts only its own signature', async () => {
    const own = await SoftPasskey.create(algorithm);
    const keys = await expecting(own.entry);
    // Often enough to produce short and long r and s.
    for (let i = 0; i < 12; i++) await verifyAssertion(await own.assert({ ...prompt, userHandle: handle }), keys);

    const flip = (signature: Uint8Array) => signature.with(-1, (signature.at(-1) ?? 0) ^ 1);
    for (const resign of [flip, (signature: Uint8Array) => signature.subarray(1), () => new Uint8Array()]) {
      await expect(verifyAssertion(await own.assert({ ...prompt, resign }), keys)).rejects.toMatchObject({
        code: 'assertion_invalid',
      });
    }
    const other = await SoftPasskey.create(algorithm);
    const theirs = { ...(await other.assert(prompt)), id: own.entry.id, rawId: own.entry.id };
    await expect(verifyAssertion(theirs, keys)).rejects.toMatchObject({ code: 'assertion_invalid' });
  });
});

describe('an assertion is taken', () => {
  it.each<[string, Partial<Ceremony>]>([
    ['with the user handle', { userHandle: handle }],
    ['without a user handle, as authenticators may for listed passkeys', {}],
    ['with a null user handle', { userHandle: null }],
    ['without crossOrigin, as in older browsers', { clientData: { crossOrigin: undefined } }],
    ['with unknown members', { clientData: { other_keys_can_be_added_here: 'really' } }],
    ['of a passkey that stays on its device', { flags: 0x05 }],
    ['with extensions', { flags: 0x85, extra: [0xa0] }],
  ])('%s', async (_, change) => {
    await verifyAssertion(await passkey.assert({ ...prompt, ...change }), expected);
  });
});

describe('an assertion is refused', () => {
  it.each<[string, Partial<Ceremony>]>([
    ['of another prompt', { challenge: crypto.getRandomValues(new Uint8Array(32)) }],
    ['of a prompt cut short', { challenge: challenge.subarray(0, 31) }],
    ['of another origin', { origin: 'https://evil.test' }],
    ['of the RP ID in place of the origin', { origin: 'https://holdfast.test' }],
    ['of the origin with a slash', { origin: `${origin}/` }],
    ['of another RP ID', { rpId: 'app.holdfast.test' }],
    ['without the user', { flags: 0x04 }],
    ['without user verification', { flags: 0x01 }],
    ['backed up, but not eligible', { flags: 0x15 }],
    ['with the flag of attested credential data', { flags: 0x45 }],
    ['with attested credential data besides extensions', { flags: 0xc5, extra: [...new Uint8Array(18), 0xa0] }],
    ['with the extensions flag, but no extensions', { flags: 0x85 }],
    ['with extensions, but without the flag', { extra: [0xa0] }],
    ["with another user's handle", { userHandle: 'X20qTgAAQACAAAAAAAAAAg' }],
    ['with an empty handle', { userHandle: '' }],
    ['made at registration', { clientData: { type: 'webauthn.create' } }],
    ['of a payment', { clientData: { type: 'payment.get' } }],
    ['without a type', { clientData: { type: undefined } }],
    ['without a challenge', { clientData: { challenge: undefined } }],
    ['without an origin', { clientData: { origin: undefined } }],
    ['with the members in a prototype', { respell: (json) => `{"__proto__":${json}}` }],
    ['from a frame of another origin', { clientData: { crossOrigin: true } }],
    ['with an odd crossOrigin', { clientData: { crossOrigin: 'false' } }],
    ['with a top origin', { clientData: { topOrigin: origin } }],
    ['with a byte order mark', { respell: (json) => `\ufeff${json}` }],
    ['with a member twice', { respell: (json) => json.replace('{', '{"type":"webauthn.create",') }],
    ['with another challenge before this one', { respell: (json) => json.replace('{', '{"challenge":"AAAA",') }],
    ['followed by more JSON', { respell: (json) => `${json}{}` }],
    ['in a list', { respell: (json) => `[${json}]` }],
    ['signed as r and s side by side', { resign: p1363 }],
    ['with a byte after the signature', { resign: (der) => new Uint8Array([...der, 0]) }],
    ['with a length in long form', { resign: (der) => new Uint8Array([0x30, 0x81, ...der.subarray(1)]) }],
    ['with r = s = 0', { resign: () => sequence(new Uint8Array([2, 1, 0]), new Uint8Array([2, 1, 0])) }],
  ])('%s', async (_, change) => {
    const assertion = await passkey.assert({ ...prompt, ...change });
    await expect(verifyAssertion(assertion, expected)).rejects.toMatchObject({ code: 'assertion_invalid' });
  });

  it("by another user's passkey", async () => {
    const other = await SoftPasskey.create();
    const assertion = verifyAssertion(await other.assert(prompt), expected);
    await expect(assertion).rejects.toMatchObject({ code: 'passkey_unknown' });
  });

  it('of another shape', async () => {
    const good = await passkey.assert(prompt);
    const response = good.response as JsonObject;
    for (const odd of [
      {},
      { ...good, type: 'password' },
      { ...good, rawId: `${good.rawId}A` },
      { ...good, response: null },
      { ...good, response: { ...response, signature: 7 } },
      { ...good, response: { ...response, signature: `${response.signature}=` } },
      { ...good, response: { ...response, clientDataJSON: undefined } },
      { ...good, response: { ...response, authenticatorData: String(response.authenticatorData).slice(0, 48) } },
      { ...good, response: { ...response, authenticatorData: '' } },
    ]) {
      await expect(verifyAssertion(odd, expected)).rejects.toMatchObject({ code: 'assertion_invalid' });
    }
  });

  it('with data altered after signing', async () => {
    const good = await passkey.assert(prompt);
    const response = good.response as JsonObject;
    const counter = decodeBase64url(String(response.authenticatorData))?.with(36, 9) ?? new Uint8Array();
    const altered = { ...good, response: { ...response, authenticatorData: encodeBase64url(counter) } };
    await expect(verifyAssertion(altered, expected)).rejects.toMatchObject({ code: 'assertion_invalid' });
  });
});

describe('an unsafe key is refused', () => {
  const imported = (jwk: JsonObject) => importPasskeyKey(jwk);
  const point = (hex: string) => ({
    kty: 'OKP',
    crv: 'Ed25519',
    x: encodeBase64url(Uint8Array.from(hex.match(/../g) ?? [], (digits) => Number.parseInt(digits, 16))),
    alg: 'EdDSA',
  });
  const zeros = (count: number) => '00'.repeat(count);
  const ones = (count: number) => 'ff'.repeat(count);

  it('of small order, for which anybody can make signatures', async () => {
    const identity = point(`01${zeros(31)}`);
    // With A the identity, [S]B = R + [k]A holds for S = 0 and R the identity, whatever was signed.
    const forged = new Uint8Array([1, ...new Uint8Array(63)]);
    const assertion = await passkey.assert({ ...prompt, resign: () => forged });
    const believer = await crypto.subtle.importKey('jwk', { ...identity }, { name: 'Ed25519' }, false, ['verify']);
    expect(await crypto.subtle.verify('Ed25519', believer, forged, new Uint8Array(7))).toBe(true);

    const keys = await expecting({ ...passkey.entry, jwk: identity });
    await expect(verifyAssertion(assertion, keys)).rejects.toMatchObject({ code: 'passkey_unknown' });
  });

  // All encodings of the points of small order, and second encodings of other points: "Taming the many EdDSAs", RFC 8032
  // §5.1.3.
  it.each([
    ['0, order 4', zeros(32)],
    ['0, negative', `${zeros(31)}80`],
    ['1, order 1', `01${zeros(31)}`],
    ['1, negative', `01${zeros(30)}80`],
    ['−1, order 2', `ec${ones(30)}7f`],
    ['−1, negative', `ec${ones(31)}`],
    ['order 8', '26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05'],
    ['order 8, negative', '26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc85'],
    ['the other of order 8', 'c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a'],
    ['the other of order 8, negative', 'c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa'],
    ['p for 0', `ed${ones(30)}7f`],
    ['p for 0, negative', `ed${ones(31)}`],
    ['p + 1 for 1', `ee${ones(30)}7f`],
    ['p + 1 for 1, negative', `ee${ones(31)}`],
    ['p + 3 for 3', `f0${ones(30)}7f`],
    ['2^255 − 1 for 18', `${ones(31)}7f`],
  ])('Ed25519, y = %s', async (_, hex) => {
    expect(await imported(point(hex))).toBeNull();
  });

  it('while neighbouring valid keys are accepted', async () => {
    // RFC 8032 §7.1, test 1; and the base point.
    expect(await imported(point('d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a'))).not.toBeNull();
    expect(await imported(point(`58${'66'.repeat(31)}`))).not.toBeNull();
  });

  const modulus = (bits: number, last = 1) => {
    const n = new Uint8Array(Math.ceil(bits / 8)).fill(0xa5);
    n[0] = 1 << ((bits - 1) % 8);
    return n.with(-1, last);
  };
  const rsa = (n: Uint8Array, ...e: number[]) => ({
    kty: 'RSA',
    alg: 'RS256',
    n: encodeBase64url(n),
    e: encodeBase64url(new Uint8Array(e)),
  });

  it('RSA with an exponent of 1, even, padded, or neither 3 nor 65537', async () => {
    for (const e of [[3], [1, 0, 1]]) expect(await imported(rsa(modulus(2048), ...e))).not.toBeNull();
    for (const e of [
      [],
      [0],
      [1],
      [2],
      [5],
      [31],
      [1, 0, 0],
      [0, 1, 0, 1],
      [127, 255, 255, 255],
      [128, 0, 0, 1],
      [255, 255, 255, 255],
      [1, 0, 0, 0, 1],
    ]) {
      expect(await imported(rsa(modulus(2048), ...e))).toBeNull();
    }
  });

  it('RSA with a short, long, even or padded modulus', async () => {
    expect(await imported(rsa(modulus(2048), 3))).not.toBeNull();
    expect(await imported(rsa(modulus(4096), 3))).not.toBeNull();
    for (const n of [
      modulus(1024),
      modulus(2047),
      modulus(4097),
      modulus(2048, 2),
      new Uint8Array([0, ...modulus(2048)]),
    ]) {
      expect(await imported(rsa(n, 3))).toBeNull();
    }
  });

  it('with another type or curve than its algorithm, a short coordinate, a point off the curve, or another algorithm', async () => {
    const { jwk } = (await SoftPasskey.create('ES256')).entry;
    const p384 = (await SoftPasskey.create('ES384')).entry.jwk;
    const x = decodeBase64url(String(jwk.x)) ?? new Uint8Array();
    for (const odd of [
      { ...jwk, kty: 'OKP' },
      { ...jwk, crv: 'P-384' },
      { ...jwk, alg: 'ES384' },
      { ...p384, alg: 'ES256' },
      { ...jwk, alg: 'ES256K' },
      { ...jwk, alg: 'none' },
      { ...jwk, alg: 'HS256', kty: 'oct', k: 'AAAA' },
      { ...jwk, alg: 'toString' },
      { ...jwk, alg: undefined },
      { ...jwk, x: encodeBase64url(x.subarray(1)) },
      { ...jwk, x: encodeBase64url(x.with(31, (x[31] ?? 0) ^ 1)) },
      { ...jwk, x: `${jwk.x}=` },
      { ...jwk, x: [jwk.x] },
      { ...point('d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a'), crv: 'X25519' },
      {},
    ]) {
      expect(await imported(odd)).toBeNull();
    }
  });

  it('while members that the algorithm does not need are ignored', async () => {
    const { jwk } = passkey.entry;
    expect(await imported({ ...jwk, use: 'enc', key_ops: ['sign'], ext: false, d: 'AAAA' })).not.toBeNull();
  });
});

/** The signature in WebCrypto's format, which no browser returns. */
function p1363(der: Uint8Array): Uint8Array {
  const out = new Uint8Array(64);
  const length = der[3] ?? 0;
  const parts = [der.subarray(4, 4 + length), der.subarray(6 + length)];
  for (const [index, part] of parts.entries()) {
    const digits = part.length > 32 ? part.subarray(1) : part;
    out.set(digits, 32 * (index + 1) - digits.length);
  }
  expect(derFromP1363(out)).toEqual(der);
  return out;
}
