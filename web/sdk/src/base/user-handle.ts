import { encodeBase64url } from './base64url.ts';

/** The server's user handle (WebAuthn L3 §5.4.3), base64url: the UUID's 16 bytes. Null if it is not a UUID. */
export function userHandle(uuid: string): string | null {
  const digits = uuid.replaceAll('-', '');
  if (!/^[\da-f]{32}$/.test(digits)) return null;
  return encodeBase64url(Uint8Array.from(digits.match(/../g) ?? [], (byte) => Number.parseInt(byte, 16)));
}
