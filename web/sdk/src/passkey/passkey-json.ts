import { decodeBase64url, encodeBase64url } from '../base/base64url.ts';
import { HoldfastError } from '../base/error.ts';
import { isObject, type JsonObject } from '../base/strict-json.ts';

// WebAuthn's JSON forms (WebAuthn L3 §5.1.8 to §5.1.10), read and written by hand. Older browsers lack the platform's
// methods for them, and extensions that replace navigator.credentials return objects without them, when a passkey may
// already have been made.

/** Reads PublicKeyCredentialCreationOptionsJSON. Throws `no_contact` for anything else: it does not come from the server. */
export function readCreationOptions(json: unknown): PublicKeyCredentialCreationOptions {
  const { challenge, user, excludeCredentials, ...rest } = object(json);
  return {
    ...rest,
    challenge: bytes(challenge),
    user: { ...object(user), id: bytes(object(user).id) },
    ...(excludeCredentials !== undefined && { excludeCredentials: descriptors(excludeCredentials) }),
  } as unknown as PublicKeyCredentialCreationOptions;
}

/** Reads PublicKeyCredentialRequestOptionsJSON. Throws as {@link readCreationOptions} does. */
export function readRequestOptions(json: unknown): PublicKeyCredentialRequestOptions {
  const { challenge, allowCredentials, ...rest } = object(json);
  return {
    ...rest,
    challenge: bytes(challenge),
    ...(allowCredentials !== undefined && { allowCredentials: descriptors(allowCredentials) }),
  } as unknown as PublicKeyCredentialRequestOptions;
}

/** The binary members of both kinds of response. */
const binary = ['clientDataJSON', 'attestationObject', 'authenticatorData', 'signature', 'userHandle'] as const;

/** Writes RegistrationResponseJSON or AuthenticationResponseJSON. Throws a TypeError if it is not a credential. */
export function writeCredential(credential: Credential): JsonObject {
  const { rawId, authenticatorAttachment, response } = credential as PublicKeyCredential;
  const held = response as unknown as Record<string, unknown>;
  const id = text(rawId);
  const transports = (response as AuthenticatorAttestationResponse).getTransports?.();
  const extensions = (credential as PublicKeyCredential).getClientExtensionResults?.() ?? {};
  const present = binary.filter((name) => name === 'clientDataJSON' || (held[name] ?? null) !== null);
  return {
    id,
    rawId: id,
    type: 'public-key',
    ...(authenticatorAttachment && { authenticatorAttachment }),
    clientExtensionResults: withoutSecrets(extensions as JsonObject),
    response: {
      ...Object.fromEntries(present.map((name) => [name, text(held[name])])),
      ...(transports && { transports }),
    },
  };
}

/**
 * Removes PRF outputs, which are keys (WebAuthn L3 §10.1.4) and must stay here. The server may learn that the extension is
 * enabled.
 */
function withoutSecrets(extensions: JsonObject): JsonObject {
  if (!isObject(extensions.prf)) return extensions;
  const { results: _, ...prf } = extensions.prf;
  return { ...extensions, prf };
}

function descriptors(list: unknown): JsonObject[] {
  if (!Array.isArray(list)) throw notTheServers();
  return list.map((each) => ({ ...object(each), id: bytes(object(each).id) }));
}

function object(value: unknown): JsonObject {
  if (!isObject(value)) throw notTheServers();
  return value;
}

function bytes(value: unknown): Uint8Array {
  const decoded = typeof value === 'string' ? decodeBase64url(value) : null;
  if (!decoded) throw notTheServers();
  return decoded;
}

/** Encodes a buffer or view, of this page's realm or an extension's, as base64url. */
function text(value: unknown): string {
  if (ArrayBuffer.isView(value))
    return encodeBase64url(new Uint8Array(value.buffer, value.byteOffset, value.byteLength));
  // Uint8Array would turn null or a string into an empty array.
  if (typeof value !== 'object' || value === null) throw new TypeError('not a buffer');
  return encodeBase64url(new Uint8Array(value as ArrayBuffer));
}

function notTheServers(): HoldfastError {
  return new HoldfastError('no_contact', "the answer is not the server's");
}
