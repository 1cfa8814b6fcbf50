import { createHash, randomBytes } from 'node:crypto';
import type { Roots } from '@holdfast/client/verifier';
import { type Document, Refused } from './document.ts';
import { Issuer, Unknown } from './issuer.ts';
import { Nonces } from './nonces.ts';
import { isBodyOf, type Proof, readProof } from './proof.ts';
import { MemoryReplays, type ReplayStore, replayLife } from './replays.ts';

/** The settings of a guard. */
export interface GuardOptions {
  /** The server's `--origin`. */
  readonly issuer: string;
  /**
   * The server's roots, written by `holdfast keys roots`; they must reach the back end as part of its own build. Without
   * them, the guard trusts the keys that the issuer publishes in its JWK Set, and so the connection to it.
   */
  readonly roots?: Roots;
  /** This back end's public origin; by default the issuer's. Proofs are compared with it, never with the Host header. */
  readonly origin?: string;
  /** At least 32 bytes that all replicas share, so that a nonce of one is good at another. By default each makes its own. */
  readonly nonceSecret?: Uint8Array;
  /** Where proofs are remembered; by default in this process. */
  readonly replays?: ReplayStore;
  /**
   * For how many milliseconds the guard works without the issuer, by default five minutes. Then it refuses every request
   * with 503. The bound is also how late a revocation or a withdrawn key can arrive while the issuer is out of reach.
   */
  readonly maxStale?: number;
  /** Gets the reason each time that a request is answered 503. */
  readonly report?: (cause: Error) => void;
  /** For requests to the issuer. */
  readonly fetch?: typeof fetch;
  /** The clock, in milliseconds. */
  readonly now?: () => number;
}

/** A request, as much of it as the guard looks at; a `Request` is one. */
export interface GuardedRequest {
  readonly method: string;
  /** The URL or, as in Node, its path and query. The path must be the one that the device signed. */
  readonly url: string;
  readonly headers: Headers;
}

/** The credentials of a request that has passed. */
export interface Grant {
  /** The user's id. */
  readonly user: string;
  readonly document: Document;
  /** Whether the proof was made for this body. A proof that names none fits all. */
  readonly isBody: (body: Uint8Array | string) => boolean;
}

/** The outcome for a request. Both kinds have headers for the answer, with the nonce for the next proof. */
export type Verdict = Passed | Refusal;

/** See {@link Verdict}. */
export interface Passed {
  readonly ok: true;
  readonly headers: Readonly<Record<string, string>>;
  readonly grant: Grant;
}

/** See {@link Verdict}; the body is a problem document (RFC 9457). */
export interface Refusal {
  readonly ok: false;
  readonly status: number;
  readonly code: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

/** The longest document, in characters. */
const maxDocument = 32_768;

const titles: Readonly<Record<number, string>> = {
  401: 'Unauthorized',
  403: 'Forbidden',
  503: 'Service Unavailable',
};

/** A negative answer on its way out. Without a challenge, WWW-Authenticate has no error (RFC 6750 §3.1). */
class No extends Error {
  readonly status: number;
  readonly code: string;
  readonly challenge: string | undefined;

  constructor(status: number, code: string, challenge?: string) {
    super(code);
    this.status = status;
    this.code = code;
    this.challenge = challenge;
  }
}

/**
 * Judges requests of devices: the document in `Authorization: DPoP`, and in `DPoP` a proof by the device's key for this
 * method, URL and document (RFC 9449 §7.1). The adapters for Express, Fastify and Hono are built on it.
 *
 * @example
 * const guard = new Guard({ issuer: "https://app.example.com", origin: "https://api.example.com", roots });
 * const verdict = await guard.requireFeature(request, "export"); // a Request
 * if (!verdict.ok) return new Response(verdict.body, verdict);
 */
export class Guard {
  readonly #issuer: Issuer;
  readonly #name: string;
  readonly #origin: string;
  readonly #nonces: Nonces;
  readonly #replays: ReplayStore;
  readonly #report: (cause: Error) => void;

  /** Throws a TypeError for settings that can never work. */
  constructor(options: GuardOptions) {
    const { issuer, roots, origin = issuer, nonceSecret = randomBytes(32), now = Date.now } = options;
    const { replays = new MemoryReplays(now), maxStale = 5 * 60_000, report = () => {} } = options;
    checkOrigin('issuer', issuer);
    checkOrigin('origin', origin);
    this.#name = issuer;
    this.#origin = origin;
    this.#nonces = new Nonces(nonceSecret, now);
    this.#replays = replays;
    this.#report = report;
    this.#issuer = new Issuer({ issuer, roots, maxStale, fetch: options.fetch ?? fetch, now });
  }

  /**
   * Fetches the keys, and rejects with the reason if the guard cannot work: await it at start to learn of a wrong root or
   * address. A guard that is not awaited fetches them with its first request.
   */
  async ready(): Promise<void> {
    await this.#issuer.keyset().catch((cause: Error & { code?: string }) => {
      const why = reasons[cause.code ?? ''] ?? causes(cause);
      throw new Error(`issuer ${this.#name}: ${why}`, { cause });
    });
  }

  /** Passes every linked device, whatever its user has paid for; a removed or copied one does not pass. */
  authenticate(request: GuardedRequest): Promise<Verdict> {
    return this.#judge(request, () => true);
  }

  /** Passes devices whose document has the feature. */
  requireFeature(request: GuardedRequest, feature: string): Promise<Verdict> {
    return this.#judge(request, ({ features }) => Object.hasOwn(features, feature));
  }

  async #judge(request: GuardedRequest, allowed: (document: Document) => boolean): Promise<Verdict> {
    const headers = { 'DPoP-Nonce': this.#nonces.issue() };
    try {
      return { ok: true, headers, grant: await this.#check(request, allowed) };
    } catch (error) {
      const no = error instanceof Refused ? new No(401, error.code, 'invalid_token') : error;
      if (no instanceof No) return refusal(no, headers);
      if (!(no instanceof Unknown)) throw error;
      this.#report(no);
      return refusal(new No(503, 'unavailable'), headers);
    }
  }

  /** Makes the checks in this order: proof, nonce, document, device, feature, status, replay. */
  async #check(request: GuardedRequest, allowed: (document: Document) => boolean): Promise<Grant> {
    const token = accessToken(request.headers.get('authorization'));
    if (!token) throw new No(401, 'unauthenticated');
    const target = this.#origin + path(request.url);
    const proof = await readProof(request.headers.get('dpop') ?? '', request.method, target, token);
    if (!proof) throw new No(401, 'invalid_dpop_proof', 'invalid_dpop_proof');
    if (!this.#nonces.check(proof.nonce)) throw new No(401, 'use_dpop_nonce', 'use_dpop_nonce');
    if (token.length > maxDocument) throw new Refused('malformed');
    const document = await this.#issuer.verify(token, proof.jkt);
    const { reason } = document;
    if (reason === 'device_removed' || reason === 'device_forked') throw new No(401, reason, 'invalid_token');
    if (!allowed(document)) throw new No(403, 'forbidden', 'insufficient_scope');
    const status = await this.#issuer.status(document.status);
    if (status !== 0) throw new No(401, status === 2 ? 'suspended' : 'revoked', 'invalid_token');
    if (!(await this.#remember(proof))) throw new No(401, 'invalid_dpop_proof', 'invalid_dpop_proof');
    return { user: document.sub, document, isBody: (body) => isBodyOf(proof, body) };
  }

  /** False for a proof that has passed before. Only a sound request is remembered, so that strangers fill no store. */
  async #remember({ jkt, jti }: Proof): Promise<boolean> {
    const id = createHash('sha256').update(jkt).update(jti).digest('base64url');
    try {
      return await this.#replays.add(id, replayLife);
    } catch (cause) {
      throw new Unknown('the replay store failed', { cause });
    }
  }
}

/** The meaning of a keyset's codes for the person who starts a guard. */
const reasons: Readonly<Record<string, string>> = {
  roots_unavailable: 'roots is not the content of roots.json, as written by `holdfast keys roots` (roots_unavailable)',
  root_unknown:
    'none of the roots has signed its keyset; `holdfast keys roots` prints those of the server (root_unknown)',
  issuer_mismatch: "its keyset names another issuer; use the server's --origin (issuer_mismatch)",
};

/** The messages of an error and its causes: those of fetch say little alone. */
function causes(error: Error): string {
  const message = error.message || (error as NodeJS.ErrnoException).code || error.name;
  return error.cause instanceof Error ? `${message}: ${causes(error.cause)}` : message;
}

/** Requires scheme://host, and https except on this machine. */
function checkOrigin(name: string, origin: string): void {
  const url = URL.canParse(origin) ? new URL(origin) : undefined;
  if (url?.origin !== origin)
    throw new TypeError(`${name} "${origin}" is not scheme://host, without a path or slash at the end`);
  const local = /^(localhost|127(\.\d+){3}|\[::1\])$/.test(url.hostname);
  if (url.protocol !== 'https:' && !(url.protocol === 'http:' && local))
    throw new TypeError(`${name} "${origin}" is neither https nor on this machine`);
}

/** The path as it was sent. */
function path(url: string): string {
  if (url.startsWith('/')) return url.replace(/[?#].*$/s, '');
  return URL.canParse(url) ? new URL(url).pathname : '';
}

/**
 * The token of the one Authorization header with the scheme DPoP, which is case-insensitive. Two headers arrive joined by a
 * comma, which no token has (RFC 9110 §11.2).
 */
function accessToken(authorization: string | null): string | undefined {
  return /^dpop ([^ ,]+)$/i.exec(authorization ?? '')?.[1];
}

function refusal({ status, code, challenge }: No, headers: Readonly<Record<string, string>>): Refusal {
  const error = challenge === undefined ? '' : `error="${challenge}", `;
  return {
    ok: false,
    status,
    code,
    headers: {
      ...headers,
      'Content-Type': 'application/problem+json',
      'Cache-Control': 'no-store',
      ...(status === 503 ? { 'Retry-After': '1' } : { 'WWW-Authenticate': `DPoP ${error}algs="ES256"` }),
    },
    body: JSON.stringify({ type: 'about:blank', title: titles[status], status, code }),
  };
}
