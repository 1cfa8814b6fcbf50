/**
 * The checks of documents and keysets, for verifiers that are not a page: `@holdfast/node` is built on them.
 *
 * @packageDocumentation
 */
import { decodeBase64url as decode } from './base/base64url.ts';

export { HoldfastError } from './base/error.ts';
export type { ErrorCode } from './base/error-code.ts';
export { type JsonObject, parseJsonObject } from './base/strict-json.ts';
export { Claims } from './verify/claims.ts';
export { type Document, readDocument } from './verify/document.ts';
export type { Feature } from './verify/feature.ts';
export { verifyJws } from './verify/jws.ts';
export { publicJwk, readPublicKey, thumbprint } from './verify/key.ts';
export { type Keyset, type KeysetMark, raiseMarks, type SigningKey, verifyKeyset } from './verify/keyset.ts';
export type { Roots } from './verify/roots.ts';
export { type TrustedRoots, trustRoots } from './verify/trusted-roots.ts';
export { type Authority, authenticate, type Binding, checkBinding } from './verify/verify.ts';

/** Decodes the one canonical base64url encoding only; null for any other text. Its type is one that TypeScript 5.4 knows. */
export const decodeBase64url: (text: string) => Uint8Array | null = decode;
