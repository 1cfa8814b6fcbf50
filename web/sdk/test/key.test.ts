import { expect, it } from 'vitest';
import { publicJwk, thumbprint } from '../src/verify/key.ts';

// The key of RFC 9449's examples, whose thumbprint is in its §6.1. Other key types (RFC 7638 §3.1 has an RSA key) get no
// thumbprint, since none of ours are of those types.
const x = 'l8tFrhx-34tV3hRICRDY9zCkDlpBhF42UQUfWVAWBFs';
const y = '9VE4jf_Ok_o64zbTTlcuNJajHmt6v9TDVrU0CdvGRDA';

it('computes the thumbprint of the RFC from the key’s members', async () => {
  const jwk = publicJwk({ y, use: 'sig', x, kty: 'EC', kid: 'one', crv: 'P-256' });
  expect(jwk && (await thumbprint(jwk))).toBe('0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I');
  expect(publicJwk({ kty: 'RSA', n: 'AQAB', e: 'AQAB' })).toBeNull();
});
