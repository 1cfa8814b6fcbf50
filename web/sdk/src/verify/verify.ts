import { HoldfastError } from '../base/error.ts';
import type { Claims } from './claims.ts';
import { type Document, readDocument } from './document.ts';
import { verifyJws } from './jws.ts';
import type { Keyset } from './keyset.ts';

/** The keyset, issuer and audience of the documents that are accepted. */
export interface Authority {
  readonly keyset: Keyset;
  readonly issuer: string;
  readonly audience: string;
}

/** The values that a document must match. Omitted ones are not compared. */
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

/** The claims of a signed message that name its subject and purpose. */
type Bound = Pick<Document, 'sub' | 'device'> & Partial<Pick<Document, 'jkt' | 'proof' | 'rev'>>;

/**
 * Makes all checks that do not depend on the current time: form, signature, claims, issuer, audience, the key's validity.
 */
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

/** The claims that are compared, with the error code for a difference. */
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
