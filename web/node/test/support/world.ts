import { createHash, randomUUID } from 'node:crypto';
import { createServer, type IncomingMessage, request, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { deflateSync } from 'node:zlib';
import type { Roots } from '@holdfast/client/verifier';
import { CompactSign, type CryptoKey, calculateJwkThumbprint, exportJWK, generateKeyPair, type JWK } from 'jose';
import type { GuardOptions } from '../../src/guard.ts';

/** A key pair and its public half as a JWK. */
export interface Pair {
  readonly privateKey: CryptoKey;
  readonly jwk: JWK;
  readonly kid: string;
}

export async function makePair(): Promise<Pair> {
  const { publicKey, privateKey } = await generateKeyPair('ES256');
  const { kty, crv, x, y } = await exportJWK(publicKey);
  const jwk = { kty, crv, x, y } as JWK;
  return { privateKey, jwk, kid: await calculateJwkThumbprint(jwk) };
}

type Claims = Record<string, unknown>;

export function sign(key: Pair, typ: string, claims: Claims, header: Claims = { kid: key.kid }): Promise<string> {
  return new CompactSign(new TextEncoder().encode(JSON.stringify(claims)))
    .setProtectedHeader({ alg: 'ES256', typ, ...header })
    .sign(key.privateKey);
}

export const origin = 'https://api.example.com';
const now = 1_767_000_000;

/** A server's keys and what it publishes, a device, and the time. */
export class World {
  /** Unix milliseconds. */
  now = now * 1000;
  down = false;
  /** Of every index. */
  status = 0;
  keyset = '';
  readonly asked = new Map<string, number>();
  issuer = '';
  root!: Pair;
  signing!: Pair;
  device!: Pair;
  #server: Server | undefined;

  static async begin(): Promise<World> {
    const world = new World();
    [world.root, world.signing, world.device] = await Promise.all([makePair(), makePair(), makePair()]);
    world.#server = createServer(async (message, response) => {
      const { status, body } = await world.#publish(message.url ?? '');
      response.writeHead(status).end(body);
    });
    world.issuer = `http://127.0.0.1:${await listen(world.#server)}`;
    world.keyset = await world.makeKeyset();
    return world;
  }

  end(): void {
    this.#server?.close();
    this.#server?.closeAllConnections();
  }

  get roots(): Roots {
    return { current: this.root.jwk, next: null };
  }

  get options(): GuardOptions {
    return {
      issuer: this.issuer,
      origin,
      roots: this.roots,
      now: () => this.now,
      nonceSecret: new Uint8Array(32).fill(7),
    };
  }

  makeKeyset(changes: Claims = {}, root = this.root): Promise<string> {
    const { jwk, kid } = this.signing;
    const key = { ...jwk, kid, alg: 'ES256', use: 'sig', nbf: now - 3600, exp: now + 86_400 };
    return sign(root, 'keyset+jwt', {
      ...{ iss: this.issuer, iat: now - 3600, exp: now + 86_400, version: 1, keys: [key] },
      ...changes,
    });
  }

  async #publish(path: string): Promise<{ status: number; body: string }> {
    this.asked.set(path, (this.asked.get(path) ?? 0) + 1);
    if (this.down) return { status: 502, body: '' };
    if (path === '/.well-known/holdfast-keyset') return { status: 200, body: this.keyset };
    if (path === '/.well-known/jwks.json')
      return { status: 200, body: JSON.stringify({ keys: [{ kty: 'RSA', n: 'AQAB', e: 'AQAB' }, this.signing.jwk] }) };
    if (path === '/v1/status-lists/0') {
      const iat = Math.floor(this.now / 1000);
      const lst = deflateSync(new Uint8Array(4).fill(this.status * 0b01010101)).toString('base64url');
      const claims = { sub: this.issuer + path, iat, exp: iat + 86_400, ttl: 10, status_list: { bits: 2, lst } };
      return { status: 200, body: await sign(this.signing, 'statuslist+jwt', claims) };
    }
    return { status: 404, body: '' };
  }

  document(changes: Claims = {}): Promise<string> {
    return sign(this.signing, 'entitlement+jwt', {
      ...{ iss: this.issuer, aud: this.issuer, sub: 'ada', jti: 'id', iat: now, nbf: now, exp: now + 3600 },
      ...{ refresh_after: now + 1800, rev: 7, state: 'active', reason: null, paid_through: null, plans: ['premium'] },
      ...{ features: { export: {} }, device: 'device', cnf: { jkt: this.device.kid }, proof: 'proof' },
      status: { status_list: { idx: 12, uri: `${this.issuer}/v1/status-lists/0` } },
      ...changes,
    });
  }

  /** A proof for POST /export, unless changed. */
  prove(document: string, nonce: string, changes: Claims = {}, device = this.device): Promise<string> {
    const ath = createHash('sha256').update(document).digest('base64url');
    const claims = { jti: randomUUID(), htm: 'POST', htu: `${origin}/export`, iat: 1, nonce, ath, ...changes };
    return sign(device, 'dpop+jwt', claims, { jwk: device.jwk });
  }
}

export async function listen(server: Server): Promise<number> {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return (server.address() as AddressInfo).port;
}

/** The answer to a request, whose code is that of a problem document, or else its text. */
export interface Answer {
  readonly status: number;
  readonly text: string;
  readonly headers: IncomingMessage['headers'];
}

/** Sends a request with exactly these headers: fetch would join those that are sent twice. */
export function send(
  port: number,
  method: string,
  path: string,
  headers: readonly string[],
  body = '',
): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const raw = ['Host', 'api.example.com', 'Content-Length', String(body.length), ...headers];
    const message = request({ port, host: '127.0.0.1', method, path, headers: raw, agent: false }, (answer) => {
      let text = '';
      answer.setEncoding('utf8').on('data', (part) => {
        text += part;
      });
      answer.on('end', () => {
        const isProblem = answer.headers['content-type']?.startsWith('application/problem+json');
        const problem = isProblem ? JSON.parse(text) : undefined;
        resolve({ status: answer.statusCode ?? 0, text: problem?.code ?? text, headers: answer.headers });
      });
    });
    message.on('error', reject).end(body);
  });
}
