// What somebody who knows nothing of Holdfast but its public key set writes, with jose alone:
// node verify.mjs <address of jwks.json> <issuer> < document

import { text } from 'node:stream/consumers';
import { createRemoteJWKSet, jwtVerify } from 'jose';

const [, , address, issuer] = process.argv;
const { payload } = await jwtVerify(await text(process.stdin), createRemoteJWKSet(new URL(address)), {
  issuer,
  audience: issuer,
  typ: 'entitlement+jwt',
  algorithms: ['ES256'],
  requiredClaims: ['sub', 'exp', 'iat', 'features'],
});
console.log(JSON.stringify(payload));
