// How long the guard takes for a request, beside a guard written by hand with jose alone: the same documents, proofs and
// nonces, no HTTP. In turns, so that a busy moment of the machine meets both. Usage: node bench/guard.js [requests]
import { createHash, createHmac, randomBytes, randomUUID, timingSafeEqual } from 'node:crypto';
import { createServer } from 'node:http';
import { deflateSync } from 'node:zlib';
import { Guard } from '@holdfast/node';
import {
  base64url,
  CompactSign,
  calculateJwkThumbprint,
  createLocalJWKSet,
  EmbeddedJWK,
  exportJWK,
  generateKeyPair,
  jwtVerify,
} from 'jose';

const requests = Number(process.argv[2] ?? 2000);
const rounds = 5;
const origin = 'https://api.example.com';
const now = Math.floor(Date.now() / 1000);

const makePair = async () => {
  const { publicKey, privateKey } = await generateKeyPair('ES256');
  const { kty, crv, x, y } = await exportJWK(publicKey);
  const jwk = { kty, crv, x, y };
  return { privateKey, jwk, kid: await calculateJwkThumbprint(jwk) };
};
const sign = (key, header, claims) =>
  new CompactSign(Buffer.from(JSON.stringify(claims)))
    .setProtectedHeader({ alg: 'ES256', ...header })
    .sign(key.privateKey);

const [root, signing] = await Promise.all([makePair(), makePair()]);
const devices = await Promise.all(Array.from({ length: 50 }, makePair));
const server = createServer(async ({ url }, response) => response.end(await published[url]));
await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
const issuer = `http://127.0.0.1:${server.address().port}`;
const lst = deflateSync(new Uint8Array(1 << 18)).toString('base64url');
const listed = { sub: `${issuer}/v1/status-lists/0`, iat: now, exp: now + 86_400, ttl: 3600 };
const key = { ...signing.jwk, kid: signing.kid, alg: 'ES256', use: 'sig', nbf: now - 60, exp: now + 86_400 };
const published = {
  '/.well-known/holdfast-keyset': sign(
    root,
    { typ: 'keyset+jwt', kid: root.kid },
    { iss: issuer, iat: now, exp: now + 86_400, version: 1, keys: [key] },
  ),
  '/v1/status-lists/0': sign(
    signing,
    { typ: 'statuslist+jwt', kid: signing.kid },
    { ...listed, status_list: { bits: 2, lst } },
  ),
};

const documents = await Promise.all(
  devices.map((device, idx) =>
    sign(
      signing,
      { typ: 'entitlement+jwt', kid: signing.kid },
      {
        ...{ iss: issuer, aud: issuer, sub: randomUUID(), jti: randomUUID(), iat: now, nbf: now, exp: now + 3600 },
        ...{ refresh_after: now + 1800, rev: 7, state: 'active', reason: null, paid_through: null, plans: ['premium'] },
        ...{
          features: { export: {}, notes: { limit: 500 } },
          device: randomUUID(),
          cnf: { jkt: device.kid },
          proof: 'p',
        },
        status: { status_list: { idx, uri: listed.sub } },
      },
    ),
  ),
);

const secret = randomBytes(32);
const guard = new Guard({ issuer, origin, roots: { current: root.jwk, next: null }, nonceSecret: secret });
await guard.ready();

// A guard as somebody would write it after reading RFC 9449: both signatures, the binding, method, URL, hash, nonce and replay.
const keys = createLocalJWKSet({ keys: [key] });
const mac = (head) => createHmac('sha256', secret).update('holdfast nonce\0').update(head).digest().subarray(0, 16);
const issueNonce = () => {
  const head = Buffer.concat([Buffer.alloc(8), randomBytes(8)]);
  head.writeBigUInt64BE(BigInt(Date.now()));
  return Buffer.concat([head, mac(head)]).toString('base64url');
};
const isFresh = (nonce) => {
  const bytes = Buffer.from(nonce, 'base64url');
  const head = bytes.subarray(0, 16);
  return timingSafeEqual(bytes.subarray(16), mac(head)) && Date.now() - Number(head.readBigUInt64BE()) < 300_000;
};
const seen = new Set();
async function byHand({ method, url, headers }) {
  const nonce = issueNonce();
  const document = headers.get('authorization').slice(5);
  const { payload, protectedHeader } = await jwtVerify(headers.get('dpop'), EmbeddedJWK, {
    algorithms: ['ES256'],
    typ: 'dpop+jwt',
    clockTolerance: 1e9,
  });
  const jkt = await calculateJwkThumbprint(protectedHeader.jwk);
  const { payload: claims } = await jwtVerify(document, keys, {
    algorithms: ['ES256'],
    typ: 'entitlement+jwt',
    issuer,
    audience: issuer,
  });
  const ok =
    payload.htm === method &&
    payload.htu === origin + url.split('?')[0] &&
    payload.ath === createHash('sha256').update(document).digest('base64url') &&
    isFresh(payload.nonce) &&
    claims.cnf.jkt === jkt &&
    'export' in claims.features &&
    !seen.has(payload.jti);
  seen.add(payload.jti);
  return { ok, nonce };
}

/** Requests that nobody has sent yet. */
const prepare = () =>
  Promise.all(
    Array.from({ length: requests }, async (_, i) => {
      const [device, document] = [devices[i % devices.length], documents[i % devices.length]];
      const ath = createHash('sha256').update(document).digest('base64url');
      const claims = {
        jti: base64url.encode(randomBytes(16)),
        htm: 'POST',
        htu: `${origin}/export`,
        iat: now,
        nonce: issueNonce(),
        ath,
      };
      const dpop = await sign(device, { typ: 'dpop+jwt', jwk: device.jwk }, claims);
      return {
        method: 'POST',
        url: '/export?page=1',
        headers: new Headers({ authorization: `DPoP ${document}`, dpop }),
      };
    }),
  );

/** Microseconds of processor time per request, sixteen at a time: a busy machine does not change it much. */
async function measure(judge) {
  const waiting = await prepare();
  const began = process.cpuUsage();
  await Promise.all(
    Array.from({ length: 16 }, async () => {
      for (let next = waiting.pop(); next; next = waiting.pop()) {
        if (!(await judge(next)).ok) throw new Error('a good request was refused');
      }
    }),
  );
  const { user, system } = process.cpuUsage(began);
  return (user + system) / requests;
}

const guards = { ours: (request) => guard.requireFeature(request, 'export'), hand: byHand };
const times = { ours: [], hand: [] };
for (let round = 0; round <= rounds; round++) {
  for (const [name, judge] of Object.entries(guards)) {
    const time = await measure(judge);
    if (round > 0) times[name].push(time); // the first warms up
  }
}
server.close();
server.closeAllConnections();
const median = (list) => list.toSorted((a, b) => a - b)[Math.floor(list.length / 2)];
const [ours, hand] = [median(times.ours), median(times.hand)];
console.log(
  `@holdfast/node ${ours.toFixed(0)} µs a request, jose by hand ${hand.toFixed(0)} µs: ${(ours / hand).toFixed(2)} times`,
);
