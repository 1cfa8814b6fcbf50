import { type ErrorCode, HoldfastError } from '@holdfast/client';
import { contacted } from './client.ts';
import { watchedFetch } from './reached.ts';

/** Milliseconds until a request without an answer counts as no contact. */
const timeout = 15_000;

/**
 * Asks the server for what the SDK does not: the lists of the account page. Rejects with a {@link HoldfastError}, as the
 * SDK's methods do; what does not bear the marks of the server's answers is `no_contact`.
 */
export async function ask(method: 'GET' | 'DELETE', path: string): Promise<unknown> {
  try {
    const signal = AbortSignal.timeout(timeout);
    const answer = await watchedFetch(path, { method, cache: 'no-store', redirect: 'error', signal });
    const type = answer.headers.get('Content-Type')?.split(';')[0];
    const empty = answer.status === 204 && answer.headers.get('Cache-Control') === 'no-store';
    if (empty || (answer.ok && type === 'application/json')) {
      const body: unknown = empty ? null : await answer.json();
      contacted();
      return body;
    }
    if (!answer.ok && type === 'application/problem+json') throw new HoldfastError(codeOf(await answer.json()));
  } catch (cause) {
    if (cause instanceof HoldfastError) throw cause;
    throw new HoldfastError('no_contact', undefined, { cause });
  }
  throw new HoldfastError('no_contact');
}

/** Codes are the SDK's own list; one that it does not know only ever becomes part of a sentence. */
function codeOf(problem: { code?: unknown } | null): ErrorCode {
  return typeof problem?.code === 'string' ? (problem.code as ErrorCode) : 'no_contact';
}
