import { encodeBase64url } from './base64url.ts';

/** SHA-256 of bytes, or of the text's UTF-8 bytes, base64url. */
export async function digest(data: string | BufferSource): Promise<string> {
  const bytes = typeof data === 'string' ? new TextEncoder().encode(data) : data;
  return encodeBase64url(new Uint8Array(await crypto.subtle.digest('SHA-256', bytes)));
}
