import { CompactEncrypt, compactVerify, importJWK } from 'jose';
import { decodeBase64url, encodeBase64url } from '../../src/base/base64url.ts';
import { digest } from '../../src/base/digest.ts';
import { importPublicKey, type PublicJwk, publicJwk, thumbprint } from '../../src/verify/key.ts';
import type { Roots } from '../../src/verify/roots.ts';
import { decode, newSigner, type Signer } from './signer.ts';

type Json = Record<string, unknown>;

/** A test's interference between client and server. Undefined: none. */
export type Interference = (request: Request, pass: () => Promise<Response>) => Promise<Response> | undefined;

export const origin = 'https://holdfast.test';
export const day = 86_400;

/** The options of either kind of ceremony. */
const ceremonyOptions = { challenge: 'AAAA', rpId: 'holdfast.test', user: { id: 'AAAA' } };

/** 2026-01-01T00:00:00Z */
export const epoch = 1_767_225_600;

/**
 * The server's side of linking and reconciling in little code: real proofs, nonces, signatures and lineage order, no
 * accounts. `bend` alters its signed claims, `interfere` its traffic.
 */
export class FakeServer {
  /** The server's clock, unix seconds. */
  now = epoch;
  user = { id: '5f6d2a4e-0000-4000-8000-000000000001', name: 'Ada' };
  revision = 1;
  claims: Json = { state: 'active', reason: null, features: { export: {}, notes: { limit: 500 } }, plans: ['premium'] };
  window = 7 * day;
  keysetVersion = 1;
  forked = false;
  /** Changes the claims of the next documents. */
  bend: (claims: Json) => Json = (claims) => claims;
  bendPasskeys: (claims: Json) => Json = (claims) => claims;
  signer!: Signer;
  root!: Signer;
  nextRoot: Signer | null = null;
  /** Whether the cookie's session is live. One browser at a time is enough here. */
  signedIn = false;
  /** The plan's device limit; above it, a device can only replace another one. */
  deviceLimit = Number.POSITIVE_INFINITY;
  /** The cookie that identifies the browser's device; the next one linked from that browser replaces it. */
  deviceCookie: string | null = null;
  /** Whether the last passkey tap was long ago. */
  stale = false;
  /** Ids of the user's passkeys. */
  passkeys = ['AAAA'];
  interfere: Interference = () => undefined;
  /** The verdict on an act. */
  judge: (entry: Json) => Json = () => ({ verdict: 'accepted' });
  /** The chain of each device, with the stored verdicts. */
  readonly chains = new Map<string, { bytes: string; verdict: Json }[]>();
  /** The user's accepted acts. */
  readonly actions: Json[] = [];
  /** The number of acts in each batch. */
  readonly batches: number[] = [];
  /** The content keys, by feature, from epoch 1. */
  readonly contentKeys = new Map<string, Uint8Array[]>();
  bendKeys: (claims: Json) => Json = (claims) => claims;
  /** Changes the hand-over's encryption. */
  encrypt: (text: string, jwk: PublicJwk) => Promise<string> = async (text, jwk) => encryptTo(text, jwk);
  readonly requests: string[] = [];
  readonly devices = new Map<string, { jkt: string; lineage: string; parent: string }>();
  #nonce = 'nonce-1';
  readonly #lineages = new Set<string>();
  readonly #keysets = new Map<string, Promise<string>>();
  #count = 0;

  static async create(): Promise<FakeServer> {
    const server = new FakeServer();
    [server.signer, server.root] = await Promise.all([newSigner(), newSigner()]);
    return server;
  }

  get roots(): Roots {
    return { current: this.root.jwk, next: this.nextRoot?.jwk ?? null };
  }

  get fetch(): typeof globalThis.fetch {
    return async (input, init) => {
      const request = new Request(String(input), init);
      this.requests.push(`${request.method} ${new URL(request.url).pathname}`);
      const pass = () => this.#answer(request);
      return this.interfere(request, pass) ?? pass();
    };
  }

  /** Invalidates all nonces given so far. */
  changeNonce(): void {
    this.#nonce = `nonce-${++this.#count + 1}`;
  }

  async keyset(root = this.root, bend: (claims: Json) => Json = (claims) => claims): Promise<string> {
    const { jwk, kid } = this.signer;
    const key = { ...jwk, kid, alg: 'ES256', use: 'sig', nbf: epoch - day, exp: epoch + 400 * day };
    const claims = { iss: origin, iat: epoch - day, exp: epoch + 400 * day, version: this.keysetVersion, keys: [key] };
    return root.sign({ alg: 'ES256', kid: root.kid, typ: 'keyset+jwt' }, bend(claims));
  }

  document(claims: Json): Promise<string> {
    return this.signer.sign(
      { alg: 'ES256', kid: this.signer.kid, typ: 'entitlement+jwt' },
      this.bend({
        iss: origin,
        aud: origin,
        sub: this.user.id,
        jti: 'document',
        iat: this.now,
        skew: 0,
        nbf: this.now,
        exp: this.now + this.window,
        refresh_after: this.now + Math.min(day, this.window / 2),
        rev: this.revision,
        paid_through: this.now + 30 * day,
        status: { status_list: { idx: 1, uri: `${origin}/v1/status-lists/0` } },
        ...this.claims,
        ...claims,
      }),
    );
  }

  async #answer(request: Request): Promise<Response> {
    const path = new URL(request.url).pathname;
    const text = await request.text();
    if (path === '/v1/session' && request.method === 'DELETE') return this.#signOut(text);
    if (path.startsWith('/v1/devices/')) return this.#unlink(path.slice('/v1/devices/'.length));
    if (path === '/v1/passkeys') {
      if (!this.signedIn) return problem(401, 'unauthenticated');
      return json(200, { passkeys: this.passkeys.map((id) => ({ id, name: 'Passkey' })) });
    }
    if (path === '/v1/trial') return json(201, { subscription: {}, revision: this.revision });
    if (path.endsWith('/options')) return json(200, { ceremony: 'ceremony', publicKey: ceremonyOptions });
    if (path === '/v1/authentication') return this.#signIn(200);
    if (path === '/v1/registration' || path === '/v1/recovery') return this.#signIn(201);

    if (path === '/.well-known/holdfast-keyset') return new Response(await this.#publishedKeyset());
    if (path === '/v1/nonce') return noContent({ 'DPoP-Nonce': this.#nonce });

    const proof = await readProof(request, text);
    if (!proof) return problem(401, 'invalid_dpop_proof', { 'DPoP-Nonce': this.#nonce });
    if (proof.nonce !== this.#nonce) return problem(401, 'use_dpop_nonce', { 'DPoP-Nonce': this.#nonce });
    const answer =
      path === '/v1/devices'
        ? this.#link(proof.jkt, JSON.parse(text))
        : path === '/v1/actions'
          ? this.#feed(new URL(request.url).searchParams)
          : path === '/v1/vault/keys'
            ? await this.#handOver(proof, JSON.parse(text))
            : await this.#reconcile(proof, JSON.parse(text));
    answer.headers.set('DPoP-Nonce', this.#nonce);
    return answer;
  }

  #signIn(status: number): Response {
    this.signedIn = true;
    this.stale = false;
    return json(status, { user: this.user, passkey: { id: 'AAAA', name: 'Passkey' } });
  }

  /** An ended session cannot authorise unlinking a device; without a session the user is already signed out. */
  #signOut(text: string): Response {
    const { device } = text ? JSON.parse(text) : {};
    if (device && !this.signedIn) return problem(401, 'unauthenticated');
    if (device && device !== this.deviceCookie && this.stale) return problem(403, 'reauthentication_required');
    this.devices.delete(device);
    this.signedIn = false;
    return noContent();
  }

  /** Returns the same bytes for the same version. */
  #publishedKeyset(): Promise<string> {
    const root = this.nextRoot ?? this.root;
    const id = [root.kid, this.signer.kid, this.keysetVersion].join();
    const keyset = this.#keysets.get(id) ?? this.keyset(root);
    this.#keysets.set(id, keyset);
    return keyset;
  }

  #unlink(id: string): Response {
    if (!this.signedIn) return problem(401, 'unauthenticated');
    if (this.stale) return problem(403, 'reauthentication_required');
    return this.devices.delete(id) ? noContent() : problem(404, 'not_found');
  }

  #link(jkt: string, { replaces }: Json): Response {
    const known = [...this.devices].find(([, device]) => device.jkt === jkt);
    if (!known) {
      for (const former of [this.deviceCookie, replaces]) this.devices.delete(String(former));
      if (this.devices.size >= this.deviceLimit) return problem(409, 'device_limit', {}, { devices: this.#listed() });
    }
    const id = known?.[0] ?? crypto.randomUUID();
    const device = known?.[1] ?? { jkt, lineage: this.#newLineage(), parent: '' };
    if (device.parent !== '') return problem(409, 'conflict');
    this.devices.set(id, device);
    this.deviceCookie = id;
    return json(201, { device: id, lineage: device.lineage });
  }

  #newLineage(): string {
    const lineage = crypto.randomUUID();
    this.#lineages.add(lineage);
    return lineage;
  }

  #listed(): Json[] {
    return [...this.devices.keys()].map((id) => ({ id, name: 'Device', linked_at: '2026-01-01T00:00:00Z' }));
  }

  async #reconcile(proof: Proof, body: Json): Promise<Response> {
    const device = this.devices.get(String(body.device));
    if (device?.jkt !== proof.jkt) return problem(404, 'device_unknown');
    const skew = Math.max(-day, Math.min(day, proof.iat - this.now));
    const claims = { device: body.device, cnf: { jkt: proof.jkt }, proof: proof.jti, skew };
    const signed = {
      server_time: new Date(this.now * 1000).toISOString(),
      ...(body.keyset_version !== this.keysetVersion && { keyset: await this.#publishedKeyset() }),
    };
    if (this.forked) {
      const document = await this.document({
        ...claims,
        state: 'revoked',
        reason: 'device_forked',
        features: {},
        plans: [],
      });
      const passkeys = await this.#passkeysDocument(body, []);
      return problem(409, 'device_forked', {}, { ...signed, document, passkeys });
    }
    const sent = String(body.lineage);
    if (!this.#lineages.has(sent)) return problem(400, 'lineage_invalid');
    if (sent !== device.lineage && sent !== device.parent) {
      this.changeNonce();
      return problem(401, 'use_dpop_nonce', { 'DPoP-Nonce': this.#nonce });
    }
    const judged = body.ledger === undefined ? {} : await this.#judge(String(body.device), proof.jwk, body.ledger);
    if ('refused' in judged) return problem(400, 'ledger_invalid', {}, { ledger: judged.refused });
    const last = this.chains.get(String(body.device))?.at(-1);
    device.parent = sent;
    device.lineage = this.#newLineage();
    return json(200, {
      ...signed,
      document: await this.document(claims),
      passkeys: await this.#passkeysDocument(
        body,
        this.passkeys.map((id) => ({ id, jwk: this.signer.jwk })),
      ),
      lineage: device.lineage,
      verdicts: [],
      ...judged,
      ledger_head: {
        seq: this.chains.get(String(body.device))?.length ?? 0,
        hash: last ? await digest(decodeBase64url(last.bytes) ?? '') : null,
      },
    });
  }

  async #handOver(proof: Proof, { device, key }: Json): Promise<Response> {
    if (this.devices.get(String(device))?.jkt !== proof.jkt) return problem(404, 'device_unknown');
    const granted = Object.keys(this.claims.features as Json);
    const keys = granted.flatMap((feature) =>
      (this.contentKeys.get(feature) ?? []).map((k, index) => ({ feature, epoch: index + 1, k: encodeBase64url(k) })),
    );
    const claims = this.bendKeys({
      iss: origin,
      aud: origin,
      sub: this.user.id,
      iat: this.now,
      exp: this.now + 300,
      device,
      proof: proof.jti,
      ...(granted.includes('vault') && { vault: { epoch: this.contentKeys.get('vault')?.length } }),
      keys,
    });
    const text = await this.signer.sign({ alg: 'ES256', kid: this.signer.kid, typ: 'vault+jwt' }, claims);
    return json(200, { keys: await this.encrypt(text, key as PublicJwk) });
  }

  #feed(query: URLSearchParams): Response {
    const [after, limit] = [Number(query.get('after')), Number(query.get('limit'))];
    const actions = this.actions.filter(({ position }) => Number(position) > after).slice(0, limit);
    return json(200, { actions, next: actions.length < limit ? null : actions.at(-1)?.position });
  }

  /** Takes the acts that follow the device's chain; the first that does not ends it. */
  async #judge(device: string, jwk: PublicJwk, ledger: unknown): Promise<Json> {
    const { payload, protectedHeader } = await compactVerify(String(ledger), jwk);
    const claims = JSON.parse(new TextDecoder().decode(payload));
    const { entries } = claims as { entries: string[] };
    const shaped = JSON.stringify(protectedHeader) === '{"alg":"ES256","typ":"ledger+jwt"}';
    if (!shaped || claims.device !== device) return { refused: { seq: null, code: 'device' } };
    const chain = this.chains.get(device) ?? [];
    this.chains.set(device, chain);
    this.batches.push(entries.length);
    const verdicts: Json[] = [];
    for (const bytes of entries) {
      const entry = JSON.parse(new TextDecoder().decode(decodeBase64url(bytes) ?? undefined));
      const { seq, at, feature, action, payload } = entry;
      const refuse = (code: string) => {
        const refused = { seq, code };
        return verdicts.length === 0 ? { refused } : { verdicts, ledger_refused: refused };
      };
      if (seq > chain.length + 1) return refuse('gap');
      const known = chain[seq - 1];
      if (known && known.bytes !== bytes) return refuse('forked');
      if (!known) {
        const before = chain[seq - 2];
        if (entry.prev !== (await digest(before ? (decodeBase64url(before.bytes) ?? '') : device)))
          return refuse('chain');
        const verdict: Json = { seq, ...this.judge(entry) };
        if ('refused' in verdict) return refuse(String(verdict.refused));
        chain.push({ bytes, verdict });
        if (verdict.verdict === 'accepted') this.accept({ device, seq, at, feature, action, payload });
      }
      verdicts.push(chain[seq - 1]?.verdict ?? {});
    }
    return { verdicts };
  }

  accept(action: Json): void {
    const received_at = new Date(this.now * 1000).toISOString();
    this.actions.push({ position: this.actions.length + 1, ...action, verdict: 'accepted', received_at });
  }

  /** Undefined if the device already holds it. */
  async #passkeysDocument({ device, passkeys: held }: Json, passkeys: Json[]): Promise<string | undefined> {
    const began = this.now - (this.now % this.window);
    const claims = this.bendPasskeys({
      iss: origin,
      aud: origin,
      sub: this.user.id,
      device,
      iat: Math.max(began, epoch - day),
      exp: began + 2 * this.window,
      rp_id: 'holdfast.test',
      passkeys,
    });
    const jws = await this.signer.sign({ alg: 'ES256', kid: this.signer.kid, typ: 'passkeys+jwt' }, claims);
    return held === (await digest(jws.slice(0, jws.lastIndexOf('.')))) ? undefined : jws;
  }
}

/** As the server encrypts to a device. */
export async function encryptTo(text: string, jwk: PublicJwk, header: Json = {}): Promise<string> {
  const kid = await thumbprint(jwk);
  return new CompactEncrypt(new TextEncoder().encode(text))
    .setProtectedHeader({ alg: 'ECDH-ES+A256KW', enc: 'A256GCM', kid, cty: 'vault+jwt', ...header })
    .encrypt(await importJWK({ ...jwk }, 'ECDH-ES+A256KW'));
}

interface Proof {
  readonly jwk: PublicJwk;
  readonly jkt: string;
  readonly jti: string;
  readonly nonce: unknown;
  readonly iat: number;
}

async function readProof(request: Request, text: string): Promise<Proof | null> {
  const parts = (request.headers.get('DPoP') ?? '').split('.');
  if (parts.length !== 3) return null;
  const header = decode(parts[0]);
  const jwk = publicJwk(header.jwk);
  const { jti, htm, htu, iat, nonce, body } = decode(parts[1]);
  const hash = await crypto.subtle.digest('SHA-256', new TextEncoder().encode(text));
  const shaped =
    Object.keys(header).sort().join() === 'alg,jwk,typ' &&
    Object.keys(header.jwk as Json)
      .sort()
      .join() === 'crv,kty,x,y' &&
    header.typ === 'dpop+jwt' &&
    header.alg === 'ES256' &&
    htm === request.method &&
    htu === request.url.split('?')[0] &&
    typeof iat === 'number' &&
    typeof jti === 'string' &&
    jti.length <= 64 &&
    (request.method === 'GET' || body === encodeBase64url(new Uint8Array(hash)));
  if (!jwk || !shaped) return null;
  const signed = new TextEncoder().encode(`${parts[0]}.${parts[1]}`);
  const signature = decodeBase64url(parts[2] ?? '') ?? new Uint8Array();
  const algorithm = { name: 'ECDSA', hash: 'SHA-256' };
  const verified = await crypto.subtle.verify(algorithm, await importPublicKey(jwk), signature, signed);
  return verified ? { jwk, jkt: await thumbprint(jwk), jti: jti as string, nonce, iat: iat as number } : null;
}

export function noContent(headers: Record<string, string> = {}): Response {
  return new Response(null, { status: 204, headers: { 'Cache-Control': 'no-store', ...headers } });
}

export function json(status: number, body: Json, headers: Record<string, string> = {}): Response {
  return new Response(JSON.stringify(body), { status, headers: { 'Content-Type': 'application/json', ...headers } });
}

export function problem(
  status: number,
  code: string,
  headers: Record<string, string> = {},
  members: Json = {},
): Response {
  return json(status, { code, status, ...members }, { 'Content-Type': 'application/problem+json', ...headers });
}
