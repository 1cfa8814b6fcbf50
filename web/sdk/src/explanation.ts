// For pages that explain, `@holdfast/client/explanation`: the server's current view of the user, besides the document.
import { HoldfastError } from './base/error.ts';
import type { ErrorCode } from './base/error-code.ts';
import { failingWith } from './base/failing-with.ts';
import { readOrigin } from './base/origin.ts';
import { isObject, type JsonObject } from './base/strict-json.ts';
import { openDeviceKey } from './server/device-key.ts';
import { makeProof } from './server/proof.ts';
import type { Options } from './state/options.ts';
import { Store } from './storage/store.ts';

/**
 * The settings of {@link explain}. Use the same values as in the pages' {@link Options}.
 *
 * @example
 * const options: ExplainOptions = { origin: location.origin };
 */
export type ExplainOptions = Pick<Options, 'origin' | 'database' | 'clock' | 'fetch' | 'timeout'>;

/**
 * The server's explanation of the user's current rights. It is not signed: use it for display, never for decisions.
 *
 * @example
 * if (explanation.reason === "lapsed") say(`Your subscription has ended on ${explanation.since?.toLocaleDateString()}`);
 */
export interface Explanation {
  readonly state: string;
  readonly reason: string | null;
  /** The revision of the entitlement that it explains. */
  readonly revision: number;
  /** Since when the reason applies; null: there is none. */
  readonly since: Date | null;
  /** Where the user can get help, `https:` or `mailto:`; null: nowhere. */
  readonly helpUrl: string | null;
}

/**
 * Asks the server why this device's user has their current rights, since when, and where they can get help. The request is
 * signed with the device's key and needs no session, since a user who returns after weeks has none. Null if no device is
 * linked here. Rejects with `no_contact`, the server's problem code, `origin_invalid`, or a
 * storage failure.
 *
 * @example
 * const explanation = await explain({ origin: location.origin });
 * if (explanation?.helpUrl) link.href = explanation.helpUrl;
 */
export async function explain({
  origin: given,
  database = 'holdfast',
  clock = Date.now,
  fetch = (input, init) => globalThis.fetch(input, init),
  timeout = 15_000,
}: ExplainOptions): Promise<Explanation | null> {
  const origin = readOrigin(given);
  const store = new Store(database);
  const { device } = await store.read().finally(() => store.close());
  if (!device) return null;
  const key = await openDeviceKey(device.pair);
  const get = (path: string, headers: Record<string, string> = {}) =>
    failingWith('no_contact', async () => {
      const signal = AbortSignal.timeout(timeout);
      return fetch(origin + path, { headers, credentials: 'include', cache: 'no-store', redirect: 'error', signal });
    });

  const nonce = (await get('/v1/nonce')).headers.get('DPoP-Nonce') ?? undefined;
  const { proof } = await makeProof(key, { htm: 'GET', htu: `${origin}/v1/entitlements`, nonce }, clock);
  const answer = await get('/v1/entitlements', { DPoP: proof });
  const body: unknown = await answer.json().catch(() => null);
  if (!isObject(body)) throw new HoldfastError('no_contact');
  if (!answer.ok) throw new HoldfastError(typeof body.code === 'string' ? (body.code as ErrorCode) : 'no_contact');
  const explanation = readExplanation(body);
  // JSON of another shape does not come from the server.
  if (!explanation) throw new HoldfastError('no_contact');
  return explanation;
}

function readExplanation({ state, reason, revision, since, help_url }: JsonObject): Explanation | null {
  if (typeof state !== 'string' || typeof revision !== 'number') return null;
  const time = new Date(String(since ?? ''));
  // A page may render this as a link, so it must not be a script URL.
  const leads = typeof help_url === 'string' && /^(https|mailto):/.test(help_url);
  return {
    state,
    reason: typeof reason === 'string' ? reason : null,
    revision,
    since: Number.isNaN(time.getTime()) ? null : time,
    helpUrl: leads ? help_url : null,
  };
}
