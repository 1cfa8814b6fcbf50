/** Decodes the one canonical encoding only (RFC 4648 §3.5); otherwise one signed message would have several forms. */
export function decodeBase64url(text: string): Buffer<ArrayBuffer> | undefined {
  const bytes = Buffer.from(text, 'base64url');
  return bytes.toString('base64url') === text ? bytes : undefined;
}
