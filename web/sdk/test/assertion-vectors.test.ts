import { expect, it } from 'vitest';
import { decodeBase64url, encodeBase64url } from '../src/base/base64url.ts';
import { verifyAssertion } from '../src/verify/assertion.ts';
import { importPasskeyKey } from '../src/verify/passkey-key.ts';
import { derFromP1363 } from './support/soft-passkey.ts';

interface Said {
  readonly clientData?: string;
  readonly clientDataHex?: string;
  readonly authenticatorData?: string;
}

interface Vectors {
  readonly origin: string;
  readonly rp_id: string;
  readonly challenge: string;
  readonly user: string;
  readonly key: JsonWebKey;
  readonly good: Said;
  readonly cases: readonly (Said & { readonly name: string; readonly signature?: string; readonly valid: boolean })[];
}

// The server is tested with the same vectors in passkey/assertions_test.go.
const [text = ''] = Object.values(
  import.meta.glob<string>('../../../passkey/testdata/assertions.json', {
    query: '?raw',
    import: 'default',
    eager: true,
  }),
);
const { origin, rp_id: rpId, challenge, user, key, good, cases }: Vectors = JSON.parse(text);

const unhex = (hex: string) => Uint8Array.from(hex.match(/../g) ?? [], (digits) => Number.parseInt(digits, 16));
const sha256 = async (data: Uint8Array<ArrayBuffer>) => new Uint8Array(await crypto.subtle.digest('SHA-256', data));

it.each(cases)('$name', async ({ clientData, clientDataHex, authenticatorData, signature, valid }) => {
  const json =
    clientDataHex !== undefined
      ? unhex(clientDataHex)
      : new TextEncoder().encode(clientData ?? (good.clientData as string));
  const data = unhex(authenticatorData ?? (good.authenticatorData as string));
  const algorithm = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' };
  const privateKey = await crypto.subtle.importKey('jwk', key, algorithm, false, ['sign']);
  const signed = new Uint8Array([...data, ...(await sha256(json))]);
  const own = derFromP1363(new Uint8Array(await crypto.subtle.sign(algorithm, privateKey, signed)));

  const { kty = '', crv = '', x = '', y = '' } = key;
  const publicKey = await importPasskeyKey({ kty, crv, x, y, alg: 'ES256' });
  if (!publicKey) throw new Error('the key of the vectors cannot be used');
  const judged = verifyAssertion(
    {
      id: 'dmVjdG9y',
      rawId: 'dmVjdG9y',
      type: 'public-key',
      response: {
        clientDataJSON: encodeBase64url(json),
        authenticatorData: encodeBase64url(data),
        signature: encodeBase64url(signature === undefined ? own : unhex(signature)),
      },
    },
    {
      challenge: decodeBase64url(challenge) ?? new Uint8Array(),
      origin,
      rpId,
      user,
      keys: new Map([['dmVjdG9y', publicKey]]),
    },
  );
  if (valid) await judged;
  else await expect(judged).rejects.toMatchObject({ code: 'assertion_invalid' });
});
