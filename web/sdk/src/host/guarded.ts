// Requests to back ends that require a feature, in a separate file that is loaded on first use.

import { digest } from '../base/digest.ts';
import { HoldfastError } from '../base/error.ts';
import type { Reconciler } from '../reconcile/reconciler.ts';
import { makeProof } from '../server/proof.ts';
import type { State } from '../state/state.ts';
import type { ProofHeaders, ProofRequest } from './proof-request.ts';

/** Guarded sends the entitlement document and proofs to a host's own back ends, and keeps the nonce of each. */
export class Guarded {
  readonly #state: State;
  readonly #reconciler: Reconciler;
  readonly #nonces = new Map<string, string>();

  constructor(state: State, reconciler: Reconciler) {
    this.#state = state;
    this.#reconciler = reconciler;
  }

  async proof({ method = 'GET', url: given, nonce, body }: ProofRequest): Promise<ProofHeaders> {
    const url = secure(new URL(given, globalThis.location?.href));
    const { key, document } = await this.#held();
    const subject = {
      htm: method.toUpperCase(),
      htu: url.origin + url.pathname,
      nonce: nonce ?? this.#nonces.get(url.origin),
      ath: await digest(document),
      body: body === undefined ? undefined : await digest(body),
    };
    const { proof } = await makeProof(key, subject, this.#state.context.clock);
    return { Authorization: `DPoP ${document}`, DPoP: proof };
  }

  async fetch(input: string | URL | Request, init?: RequestInit): Promise<Response> {
    const request = new Request(input, init);
    const { method, url, signal } = request;
    const { origin } = secure(new URL(url));
    // The proof names the digest of the exact bytes, and a second try sends them again.
    const bodiless = method === 'GET' || method === 'HEAD';
    const body = bodiless ? null : await request.arrayBuffer();
    for (let again = true; ; again = false) {
      const used = this.#nonces.get(origin);
      const proven = await this.proof({ method, url, ...(body !== null && { body }) });
      const headers = new Headers(request.headers);
      headers.set('Authorization', proven.Authorization);
      headers.set('DPoP', proven.DPoP);
      // The proof is for this URL, and the document for this origin: a redirect must not take them elsewhere.
      const redirect = request.redirect === 'manual' ? 'manual' : 'error';
      const answer = await this.#state.context
        .fetch(request.url, { ...settings(request), headers, body, redirect })
        .catch((cause) => {
          throw new HoldfastError(signal.aborted ? 'cancelled' : 'no_contact', undefined, { cause });
        });
      const nonce = answer.headers.get('DPoP-Nonce');
      if (nonce !== null) this.#nonces.set(origin, nonce);
      if (!again || nonce === null || nonce === used || !wantsNonce(answer)) return answer;
    }
  }

  /** The held document and its key, after a reconcile if there is none or it has ended. */
  async #held() {
    const held = () => {
      const { standing, entitlement } = this.#state;
      const { key, document, device, taken } = standing;
      // Right after a new linking, the document is still that of the former device.
      return key && document?.device === device && !entitlement.error ? { key, document: taken as string } : null;
    };
    if (!this.#state.standing.user) throw new HoldfastError('signed_out');
    if (!held()) await this.#reconciler.reconcile();
    const found = held();
    if (!found) throw new HoldfastError(this.#state.entitlement.error ?? 'device_unknown');
    return found;
  }
}

/** The settings that a second try must repeat. */
function settings({
  method,
  mode,
  credentials,
  cache,
  referrer,
  referrerPolicy,
  integrity,
  keepalive,
  signal,
}: Request) {
  return { method, mode, credentials, cache, referrer, referrerPolicy, integrity, keepalive, signal };
}

/** RFC 9449 §9. A page of another origin may not be allowed to read the challenge. */
function wantsNonce({ status, headers }: Response): boolean {
  return status === 401 && (headers.get('WWW-Authenticate') ?? 'use_dpop_nonce').includes('use_dpop_nonce');
}

/** Http is only for this machine: a reader of the traffic could use the document and the proof once more. */
function secure(url: URL): URL {
  const local = /^(localhost|.*\.localhost|127\.\d+\.\d+\.\d+|\[::1\])$/.test(url.hostname);
  if (url.protocol === 'https:' || (url.protocol === 'http:' && local)) return url;
  throw new HoldfastError('url_insecure', `${url.origin} is neither https nor on this machine`);
}
