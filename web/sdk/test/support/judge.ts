import { HoldfastError } from '../../src/base/error.ts';
import type { Document } from '../../src/verify/document.ts';
import type { Keyset } from '../../src/verify/keyset.ts';
import { stateOf } from '../../src/verify/state-of.ts';
import { authenticateDocument, type Binding, checkBinding } from '../../src/verify/verify.ts';

export interface Expectations extends Binding {
  readonly keyset: Keyset;
  readonly issuer: string;
  readonly audience: string;
  /** Milliseconds since 1970. */
  readonly now: number;
}

/**
 * Verifies a document with the code that a page runs: form, signature and claims on arrival, and its time at every use.
 * Rejects with the code of the first check that fails.
 */
export async function judge(jws: string, expected: Expectations): Promise<Document> {
  const { keyset, now } = expected;
  const document = await authenticateDocument(jws, expected);
  const behind = Math.max(0, document.iat * 1000 - now); // a page's mark is never before its document's iat
  const { error } = stateOf(document, keyset, { now, behind });
  if (error) throw new HoldfastError(error);
  checkBinding(document, expected);
  return document;
}
