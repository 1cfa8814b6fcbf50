import {
  type Authority,
  authenticate,
  type Binding,
  type Claims,
  type Document as Common,
  checkBinding,
  type ErrorCode,
  HoldfastError,
  type Keyset,
  readDocument,
} from '@holdfast/client/verifier';

/** A verified entitlement document. Times in unix seconds. */
export interface Document extends Common {
  /** Where its status is published. */
  readonly status: { readonly idx: number; readonly uri: string };
}

/** Why a document was refused. */
export type DocumentCode = ErrorCode | 'not_yet_valid';

/** A document that was refused, or a keyset or status list. */
export class Refused extends Error {
  readonly code: DocumentCode;

  constructor(code: DocumentCode) {
    super(code);
    this.code = code;
  }
}

/** Verifies a document at `now`, in milliseconds. Rejects with {@link Refused}. */
export async function verifyDocument(
  jws: string,
  { keyset, issuer, now, ...binding }: Omit<Authority, 'audience'> & Binding & { readonly now: number },
): Promise<Document> {
  return refusing(async () => {
    const document = await authenticateOnce(jws, keyset, issuer);
    if (now >= keyset.exp * 1000) throw new Refused('keyset_expired');
    if (now < document.iat * 1000) throw new Refused('not_yet_valid');
    if (now >= document.exp * 1000) throw new Refused('expired'); // without leeway (RFC 7519 §4.1.4)
    checkBinding(document, binding);
    return document;
  });
}

/** The documents that a keyset has verified. A device sends the same one for hours, and each keyset is one issuer's. */
const verified = new WeakMap<Keyset, Map<string, Document>>();

/** The most documents that are remembered for a keyset. */
const maxVerified = 5000;

/** Makes the checks that do not depend on time or request, once for each document and keyset. */
async function authenticateOnce(jws: string, keyset: Keyset, issuer: string): Promise<Document> {
  let known = verified.get(keyset);
  if (!known || known.size >= maxVerified) {
    known = new Map();
    verified.set(keyset, known);
  }
  const document =
    known.get(jws) ?? (await authenticate(jws, 'entitlement+jwt', { keyset, issuer, audience: issuer }, read));
  known.set(jws, document);
  return document;
}

/** Gives the verifier's refusals one type. Other errors pass. */
export async function refusing<T>(verify: () => Promise<T>): Promise<T> {
  try {
    return await verify();
  } catch (error) {
    throw error instanceof HoldfastError ? new Refused(error.code) : error;
  }
}

function read(claims: Claims): Document {
  const document = readDocument(claims);
  const status = claims.object('status').object('status_list');
  return { ...document, status: { idx: status.integer('idx'), uri: status.text('uri') } };
}
