import { expect, it } from 'vitest';
import { publicJwk, thumbprint } from '../src/key.ts';

// The key of RFC 9449's examples, whose thumbprint is in its §6.1. Of other keys (RFC 7638 §3.1 has an RSA one) there is
// no thumbprint: none of ours are.
const x = 'l8tFrhx-34tV3hRICRDY9zCkDlpBhF42UQUfWVAWBFs';
const y = '9VE4jf_Ok_o64zbTTlcuNJajHmt6v9TDVrU0CdvGRDA';

it('makes the thumbprint of the RFC from the members that make the key', async () => {
  const jwk = publicJwk({ y, use: 'sig', x, kty: 'EC', kid: 'one', crv: 'P-256' });
  expect(jwk && (await thumbprint(jwk))).toBe('0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I');
  expect(publicJwk({ kty: 'RSA', n: 'AQAB', e: 'AQAB' })).toBeNull();
});
