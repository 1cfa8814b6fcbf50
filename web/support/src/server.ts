import { type ErrorCode, HoldfastError } from '@holdfast/client';
import { hearTime } from './clock.ts';

const timeout = 15_000;

interface Sent {
  readonly body?: unknown;
  /** The same for every try of one change, so that it is made once. */
  readonly key?: string | undefined;
  readonly signal?: AbortSignal;
}

/** Sends a request to the server. Rejects with a {@link HoldfastError}: the problem's code and sentence, or `no_contact`. */
export async function call<T = void>(method: string, path: string, { body, key, signal }: Sent = {}): Promise<T> {
  let response: Response;
  let text: string;
  try {
    const limit = AbortSignal.timeout(timeout);
    response = await fetch(path, {
      method,
      headers: {
        ...(body !== undefined && { 'Content-Type': 'application/json' }),
        ...(key !== undefined && { 'Idempotency-Key': key }),
      },
      body: body === undefined ? null : JSON.stringify(body),
      credentials: 'same-origin',
      cache: 'no-store',
      redirect: 'error',
      signal: signal ? AbortSignal.any([signal, limit]) : limit,
    });
    text = await response.text();
  } catch (cause) {
    throw new HoldfastError(signal?.aborted ? 'cancelled' : 'no_contact', undefined, { cause });
  }
  hearTime(response.headers.get('Date'));
  return read(response, text) as T;
}

/**
 * Invisible characters: direction controls, which would reorder the page's own text, and zero-width characters, which make
 * different texts look the same. The server keeps them out of names (package names); reasons and ids of other systems may
 * contain them.
 */
export const invisible = /[\p{Bidi_Control}\p{Default_Ignorable_Code_Point}]/gu;

function visible(_: string, value: unknown): unknown {
  return typeof value === 'string' ? value.replace(invisible, '') : value;
}

/** An answer without the server's mark comes from a portal or proxy, whatever its status. */
function read(response: Response, text: string): unknown {
  const { ok, status } = response;
  if (status === 204 && response.headers.get('Cache-Control') === 'no-store') return undefined;
  const type = response.headers.get('Content-Type') ?? '';
  const marked = ok ? /^application\/json *(;|$)/i : /^application\/problem\+json *(;|$)/i;
  let body: unknown;
  try {
    body = marked.test(type) ? JSON.parse(text, visible) : null;
  } catch {
    body = null;
  }
  if (typeof body !== 'object' || body === null)
    throw new HoldfastError('no_contact', `not the server's answer: ${status}`);
  if (ok) return body;
  const { code, detail } = body as { code?: unknown; detail?: unknown };
  if (typeof code !== 'string') throw new HoldfastError('no_contact', `not the server's answer: ${status}`);
  const wait = Number(response.headers.get('Retry-After') ?? Number.NaN);
  throw new HoldfastError(code as ErrorCode, typeof detail === 'string' ? detail : undefined, {
    status,
    retryAfter: Number.isNaN(wait) ? undefined : wait,
  });
}

/** One key per change: another body is another change. */
export function keyring(): (body: unknown) => string {
  let last: { readonly body: string; readonly key: string } | undefined;
  return (body) => {
    const text = JSON.stringify(body) ?? '';
    if (last?.body !== text) last = { body: text, key: crypto.randomUUID() };
    return last.key;
  };
}
