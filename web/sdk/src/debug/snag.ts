// The search for mistakes in the set-up, in a separate file that is loaded after a failure or with the option `debug`.

import { decodeBase64url } from '../base/base64url.ts';
import { HoldfastError } from '../base/error.ts';
import type { ErrorCode } from '../base/error-code.ts';
import { isObject } from '../base/strict-json.ts';
import { rpIdOf } from '../passkey/rp-id.ts';
import type { Context } from '../state/context.ts';
import type { TrustedRoots } from '../verify/trusted-roots.ts';

/** A mistake in the set-up. `no_contact` may pass; no other will without a change by the developer or the operator. */
export interface Snag {
  readonly code: ErrorCode;
  readonly message: string;
}

/** Codes that a mistake in the set-up may hide behind. */
const suspect: readonly ErrorCode[] = [
  'no_contact',
  'origin_refused',
  'not_supported',
  'cross_origin',
  'roots_unavailable',
  'root_unknown',
  'issuer_mismatch',
  'audience_mismatch',
  'claims_invalid',
  'invalid_dpop_proof',
];

/** Returns the mistake in the set-up that caused `error`, as an error with its own code and words; otherwise `error`. */
export async function explainFailure(context: Context, error: unknown): Promise<unknown> {
  if (!(error instanceof HoldfastError) || !suspect.includes(error.code)) return error;
  const snag = await findSnag(context).catch(() => null);
  if (!snag || snag.code === 'no_contact') return error;
  return new HoldfastError(snag.code, snag.message, { cause: error });
}

/** Looks for the first mistake in the set-up of page, app and server. */
export async function findSnag(context: Context): Promise<Snag | null> {
  const { origin, rpId } = context;
  const page = globalThis.location;
  const foreign = (id: string) => page !== undefined && page.hostname !== id && !page.hostname.endsWith(`.${id}`);
  if (page && globalThis.isSecureContext === false) {
    return snag(
      'not_supported',
      `${page.origin} is no secure context: the browser has passkeys only on https or localhost`,
    );
  }
  if (page && /^[\d.]+$|^\[/.test(page.hostname)) {
    const named = page.origin.replace(page.hostname, 'localhost');
    return snag('origin_refused', `passkeys need a host name, not the address ${page.hostname}: open ${named}`);
  }
  if (rpId !== undefined && foreign(rpId)) {
    return snag(
      'origin_refused',
      `the page's host ${page.hostname} is not rpId "${rpId}" or below it: change the option rpId`,
    );
  }

  let roots: TrustedRoots;
  try {
    roots = await context.roots(true);
  } catch (error) {
    return snag('roots_unavailable', `the option roots gives no P-256 public keys: ${(error as Error).cause}`);
  }
  const keyset = await readKeyset(context);
  if (keyset === undefined) return snag('no_contact', `${origin} does not answer: is the server running there?`);
  if (keyset === null) return snag('no_contact', `${origin} answers, but is no Holdfast server`);
  const { iss, kid } = keyset;
  if (iss !== origin) {
    return snag(
      'issuer_mismatch',
      `the server's own origin (--origin) is ${iss}, the option origin is ${origin}: they must be equal`,
    );
  }
  if (!roots.some((root) => root.kid === kid)) {
    return snag(
      'root_unknown',
      `the server's keyset is signed by the root ${kid}, which the option roots does not have: \`holdfast keys roots\` prints the server's`,
    );
  }

  try {
    const { publicKey } = await context.server.request('POST', '/v1/authentication/options', {});
    const serverRpId = rpIdOf(publicKey);
    if (serverRpId !== undefined && foreign(serverRpId)) {
      return snag(
        'origin_refused',
        `the page's host ${page.hostname} is not the server's RP ID ${serverRpId} or below it: change the server's --rp-id, or serve the page there`,
      );
    }
    if (rpId !== undefined && serverRpId !== undefined && rpId !== serverRpId) {
      return snag('claims_invalid', `the option rpId is "${rpId}", the server's --rp-id is "${serverRpId}"`);
    }
  } catch (error) {
    const { code } = error as HoldfastError;
    // The keyset may be read by pages of every origin, the rest only by those that the server allows.
    if (page && page.origin !== origin && (code === 'no_contact' || code === 'cross_origin')) {
      return snag(
        'cross_origin',
        `the server does not allow pages of ${page.origin} (CORS): start it with --allow-origin ${page.origin}`,
      );
    }
  }
  return null;
}

function snag(code: ErrorCode, message: string): Snag {
  return { code, message };
}

/** The issuer and the signer of the server's keyset, unverified. Undefined: no answer; null: another kind of answer. */
async function readKeyset({ origin, fetch }: Context): Promise<{ iss: unknown; kid: unknown } | null | undefined> {
  const options = { cache: 'no-store', credentials: 'omit', signal: AbortSignal.timeout(5_000) } as const;
  const answer = await fetch(`${origin}/.well-known/holdfast-keyset`, options).catch(() => null);
  if (!answer) return undefined;
  try {
    const [header, claims] = (await answer.text()).split('.', 2).map((part) => {
      const bytes = decodeBase64url(part);
      return JSON.parse(new TextDecoder().decode(bytes ?? undefined));
    });
    return isObject(header) && isObject(claims) ? { iss: claims.iss, kid: header.kid } : null;
  } catch {
    return null;
  }
}
