import type { IncomingMessage } from 'node:http';
import type { GuardedRequest } from './guard.ts';

/** The request as the guard looks at it. Node's own `headers` would hide that a header was sent twice. */
export function guardedRequest(message: IncomingMessage, url: string): GuardedRequest {
  const headers = new Headers();
  for (const name of ['authorization', 'dpop']) {
    for (const value of message.headersDistinct[name] ?? []) headers.append(name, value);
  }
  return { method: message.method ?? '', url, headers };
}
