/** Encodes base64url without padding, RFC 4648 §5. */
export function encodeBase64url(bytes: Uint8Array): string {
  let binary = '';
  for (const byte of bytes) binary += String.fromCharCode(byte);
  return btoa(binary).replaceAll('+', '-').replaceAll('/', '_').replaceAll('=', '');
}

/**
 * Decodes the one canonical encoding only: no padding, no other characters, unused trailing bits zero (RFC 4648 §3.5).
 * Returns null for anything else: if two texts decoded alike, one signed message would have two forms.
 */
export function decodeBase64url(text: string): Uint8Array<ArrayBuffer> | null {
  try {
    const binary = atob(text.replaceAll('-', '+').replaceAll('_', '/'));
    const bytes = Uint8Array.from(binary, (character) => character.charCodeAt(0));
    return encodeBase64url(bytes) === text ? bytes : null;
  } catch {
    return null;
  }
}
