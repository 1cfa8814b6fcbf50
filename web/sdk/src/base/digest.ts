import { encodeBase64url } from './base64url.ts';

/** SHA-256 of the text's UTF-8 bytes, base64url. */
export async function digest(text: string): Promise<string> {
  const hash = await crypto.subtle.digest('SHA-256', new TextEncoder().encode(text));
  return encodeBase64url(new Uint8Array(hash));
}
