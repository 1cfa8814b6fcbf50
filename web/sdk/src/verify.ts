import type { Claims } from './claims.ts';
import { type Document, readDocument } from './document.ts';
import { HoldfastError } from './error.ts';
import { verifyJws } from './jws.ts';
import type { Keyset } from './keyset.ts';

/** See {@link verifyDocument}. What is left out is not compared. */
export interface DocumentExpectations extends Authority, Binding {
  /** Milliseconds since 1970. */
  readonly now: number;
}

/** Whose documents count. */
export interface Authority {
  readonly keyset: Keyset;
  readonly issuer: string;
  readonly audience: string;
}

/** What a document must belong to. */
export interface Binding {
  /** The user's id. */
  readonly sub?: string;
  readonly device?: string;
  /** Thumbprint of the device key. */
  readonly jkt?: string;
  /** The jti of the proof it must answer. */
  readonly proof?: string;
  readonly minRevision?: number;
}

/** What a signed message says of whom and what it is for. */
type Bound = Pick<Document, 'sub' | 'device'> & Partial<Pick<Document, 'jkt' | 'proof' | 'rev'>>;

/** Verifies an entitlement document entirely; rejects with the code of the first check that fails. */
export async function verifyDocument(jws: string, expected: DocumentExpectations): Promise<Document> {
  const document = await authenticateDocument(jws, expected);
  if (expected.now >= expected.keyset.exp * 1000) throw new HoldfastError('keyset_expired');
  checkTime(document, expected.now);
  checkBinding(document, expected);
  return document;
}

/** All checks that no passing of time can change: form, signature, claims, issuer, audience, key's validity. */
export async function authenticateDocument(jws: string, authority: Authority): Promise<Document> {
  return authenticate(jws, 'entitlement+jwt', authority, readDocument);
}

/** As {@link authenticateDocument}, for any message that a signing key of the keyset may sign. */
export async function authenticate<T extends { iat: number }>(
  jws: string,
  typ: string,
  { keyset, issuer, audience }: Authority,
  read: (claims: Claims) => T,
): Promise<T> {
  const { claims, signer } = await verifyJws(jws, typ, (kid) => keyset.keys.get(kid), 'key_unknown');
  const message = read(claims);
  const [iss, aud] = [claims.text('iss'), claims.text('aud')];
  if (iss !== issuer) throw new HoldfastError('issuer_mismatch');
  if (aud !== audience) throw new HoldfastError('audience_mismatch');
  if (message.iat < signer.nbf || message.iat >= signer.exp) throw new HoldfastError('key_outside_validity');
  return message;
}

/** The end has no leeway: at `exp` the document is over (RFC 7519 §4.1.4). */
function checkTime({ iat, exp }: { iat: number; exp: number }, now: number): void {
  if (now < iat * 1000) throw new HoldfastError('not_yet_valid');
  if (now >= exp * 1000) throw new HoldfastError('expired');
}

/** The claims that are compared, and what it is called where one differs. */
const bound = [
  ['sub', 'subject_mismatch'],
  ['device', 'device_mismatch'],
  ['jkt', 'device_mismatch'],
  ['proof', 'proof_mismatch'],
] as const;

export function checkBinding(document: Bound, expected: Binding): void {
  for (const [claim, code] of bound) {
    const wanted = expected[claim];
    if (wanted !== undefined && wanted !== document[claim]) throw new HoldfastError(code);
  }
  if ((document.rev ?? 0) < (expected.minRevision ?? 0)) throw new HoldfastError('revision_rollback');
}
