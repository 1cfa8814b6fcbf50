// An independent reader of our status lists, with jose, zlib and the IETF draft. It imports none of our code.
//
//   node status-list.mjs JWKS-URL LIST-URL EXPECTED-SUB INDEX…
//
// prints the status at each index.
import { inflateSync } from 'node:zlib';
import { createRemoteJWKSet, jwtVerify } from 'jose';

const [jwks, address, uri, ...indices] = process.argv.slice(2);

const answer = await fetch(address, { headers: { accept: 'application/statuslist+jwt' } });
if (!answer.ok || answer.headers.get('content-type') !== 'application/statuslist+jwt') {
  throw new Error(`${answer.status} ${answer.headers.get('content-type')}`);
}
const { payload } = await jwtVerify(await answer.text(), createRemoteJWKSet(new URL(jwks)), {
  algorithms: ['ES256'],
  typ: 'statuslist+jwt',
  subject: uri,
  requiredClaims: ['iat', 'exp', 'ttl', 'status_list'],
});

const { bits, lst } = payload.status_list;
const compressed = Buffer.from(lst, 'base64url');
const packed = inflateSync(compressed);
// Browsers have this instead of zlib.
const inBrowsers = new Response(new Blob([compressed]).stream().pipeThrough(new DecompressionStream('deflate')));
if (!packed.equals(Buffer.from(await inBrowsers.arrayBuffer()))) throw new Error('two inflaters differ');

for (const index of indices.map(Number)) {
  const byte = packed[Math.floor((index * bits) / 8)];
  if (byte === undefined) throw new Error(`index ${index} is outside the list`);
  console.log((byte >> ((index * bits) % 8)) & ((1 << bits) - 1));
}
