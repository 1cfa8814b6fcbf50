import { HoldfastError } from './error.ts';

/**
 * Normalises an origin as the server does: lower case, without the default port and a trailing slash. Throws
 * `origin_invalid` for anything else than an http or https origin.
 */
export function readOrigin(text: string): string {
  const url = URL.canParse(text) ? new URL(text) : null;
  if (!url || !/^https?:$/.test(url.protocol) || url.href !== `${url.origin}/`) {
    throw new HoldfastError('origin_invalid', `"${text}" is not an origin such as https://app.example.org`);
  }
  return url.origin;
}
