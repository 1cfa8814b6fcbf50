// What somebody who knows nothing of Holdfast but its public key set writes, with jose alone:
// node verify.mjs <address of jwks.json> <issuer> < document
import { createRemoteJWKSet, jwtVerify } from 'jose';
import { text } from 'node:stream/consumers';

const [, , address, issuer] = process.argv;
const { payload } = await jwtVerify(await text(process.stdin), createRemoteJWKSet(new URL(address)), {
  issuer,
  audience: issuer,
  typ: 'entitlement+jwt',
  algorithms: ['ES256'],
  requiredClaims: ['sub', 'exp', 'iat', 'features'],
});
console.log(JSON.stringify(payload));
