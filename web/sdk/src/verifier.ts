/**
 * The checks of documents and keysets, for verifiers that are not a page: `@holdfast/node` is built on them.
 *
 * @packageDocumentation
 */
export { decodeBase64url } from './base/base64url.ts';
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
