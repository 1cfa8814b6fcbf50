import { digest } from '../base/digest.ts';
import { HoldfastError } from '../base/error.ts';
import type { ErrorCode } from '../base/error-code.ts';
import { failingWith } from '../base/failing-with.ts';
import { isObject, type JsonObject } from '../base/strict-json.ts';
import type { DeviceKey } from './device-key.ts';
import { makeProof } from './proof.ts';

/** An answer recognised as the server's: JSON of the right kind, or an empty success. */
export interface Answer {
  readonly status: number;
  readonly body: JsonObject;
  /** The problem's code; null on success. */
  readonly code: ErrorCode | null;
  /** Seconds, if the server asked to wait. */
  readonly retryAfter: number | undefined;
}

/** A request with a proof by the device's key. */
export interface ProvenRequest {
  readonly key: DeviceKey;
  /** Undefined: it is a GET. */
  readonly body?: JsonObject;
}

/** The last request sent, its answer, and the jti of its proof. */
export interface Proven<T> {
  readonly answer: Answer;
  readonly sent: T;
  readonly jti: string;
}

/** See {@link Server.constructor}. */
export interface ServerOptions {
  readonly origin: string;
  readonly fetch: typeof globalThis.fetch;
  readonly timeout: number;
  readonly clock: () => number;
}

/** The number of refused nonces in a row after which another try is useless. */
const nonceRetries = 2;

/** How long a nonce is reused, in milliseconds: a minute less than the server accepts it. */
const nonceLife = 4 * 60_000;

/** Server talks to the server. Anything but its answer rejects with `no_contact`: portals, proxies, cut bodies, timeouts. */
export class Server {
  readonly #options: ServerOptions;
  /** Called after every request with whether the server was reached. */
  heard: (reached: boolean) => void = () => {};
  #nonce: { readonly value: string; readonly since: number } | undefined;

  constructor(options: ServerOptions) {
    this.#options = options;
  }

  /** Rejects with the problem's code unless the answer is a success. */
  async request(method: string, path: string, body?: JsonObject): Promise<JsonObject> {
    const answer = await this.#send(method, path, body && JSON.stringify(body));
    throwProblem(answer);
    return answer.body;
  }

  /**
   * Sends a request with a proof, and again at once if the server wants another nonce. `prepare` runs before every try, so that each
   * one is made from the current contents of storage; null gives up. The nonce is taken first: a nonce that answers a stale
   * lineage must only be sent with storage as read after it, or an honest device looks like two. Rejects with the problem's
   * code if the server does not even give a nonce.
   */
  async prove<T extends ProvenRequest>(path: string, prepare: () => Promise<T | null>): Promise<Proven<T> | null> {
    const { origin, clock } = this.#options;
    const fresh = this.#nonce && Math.abs(clock() - this.#nonce.since) < nonceLife;
    if (!fresh) await this.#fetchNonce();
    for (let retries = nonceRetries; ; retries--) {
      const nonce = this.#nonce?.value;
      const sent = await prepare();
      if (!sent) return null;
      const body = sent.body && JSON.stringify(sent.body);
      const htm = body ? 'POST' : 'GET';
      const [htu] = (origin + path).split('?', 1);
      const { proof, jti } = await makeProof(
        sent.key,
        { htm, htu: `${htu}`, nonce, body: body && (await digest(body)) },
        clock,
      );
      const answer = await this.#send(htm, path, body, { DPoP: proof });
      if (answer.code !== 'use_dpop_nonce' || retries === 0) return { answer, sent, jti };
    }
  }

  /** Costs as much as a refusal, but leaves no error in the browser's console. */
  async #fetchNonce(): Promise<void> {
    const answer = await this.#send('GET', '/v1/nonce');
    // A server without this route sends the nonce with its refusal (RFC 9449 §8).
    if (answer.code !== 'not_found') throwProblem(answer);
  }

  async #send(method: string, path: string, body?: string, headers: Record<string, string> = {}): Promise<Answer> {
    const answer = await failingWith('no_contact', async () => {
      // The signal covers the body too: a stalled connection counts as no contact.
      const response = await this.#options.fetch(this.#options.origin + path, {
        method,
        headers: body === undefined ? headers : { ...headers, 'Content-Type': 'application/json' },
        body: body ?? null,
        credentials: 'include',
        cache: 'no-store',
        redirect: 'error',
        signal: AbortSignal.timeout(this.#options.timeout),
      });
      const answer = readAnswer(response, await response.text());
      const nonce = response.headers.get('DPoP-Nonce');
      if (nonce !== null) this.#nonce = { value: nonce, since: this.#options.clock() };
      return answer;
    }).catch((error) => {
      this.heard(false);
      throw error;
    });
    this.heard(true);
    return answer;
  }
}

/** Throws the problem's code unless the answer is a success. */
export function throwProblem({ status, code, body, retryAfter }: Answer): void {
  if (code === null) return;
  const detail = typeof body.detail === 'string' ? body.detail : undefined;
  throw new HoldfastError(code, detail, { status, retryAfter });
}

function readAnswer(response: Response, text: string): Answer {
  const { status, ok } = response;
  const retryAfter = readRetryAfter(response.headers.get('Retry-After'));
  if (status === 204) {
    // Every answer of the server has no-store; a portal's "you are online" page does not.
    if (response.headers.get('Cache-Control') !== 'no-store') throw new HoldfastError('no_contact');
    return { status, body: {}, code: null, retryAfter };
  }

  const type = ok ? /^application\/json *(;|$)/i : /^application\/problem\+json *(;|$)/i;
  const body: unknown = type.test(response.headers.get('Content-Type') ?? '') ? JSON.parse(text) : null;
  if (!isObject(body) || (!ok && typeof body.code !== 'string')) {
    throw new HoldfastError('no_contact', `not the server's answer: ${status}`, { retryAfter });
  }
  return { status, body, code: ok ? null : (body.code as ErrorCode), retryAfter };
}

function readRetryAfter(value: string | null): number | undefined {
  return value !== null && /^\d{1,6}$/.test(value) ? Number(value) : undefined;
}
