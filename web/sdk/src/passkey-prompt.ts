import { canPrompt } from './can-prompt.ts';
import { HoldfastError } from './error.ts';
import type { ErrorCode } from './error-code.ts';
import { isObject, type JsonObject } from './strict-json.ts';

/** Lets the user make a passkey. `options` is the server's WebAuthn JSON; so is what comes back, to be posted as it is. */
export async function createPasskey(options: unknown, signal: AbortSignal): Promise<JsonObject> {
  return prompt(options, async () => {
    const publicKey = PublicKeyCredential.parseCreationOptionsFromJSON(
      options as PublicKeyCredentialCreationOptionsJSON,
    );
    return navigator.credentials.create({ publicKey, signal });
  });
}

/** Lets the user pick a passkey: in a dialog, or with `conditional` in the autofill of a form. */
export async function pickPasskey(
  options: unknown,
  signal: AbortSignal,
  mediation: 'conditional' | undefined,
): Promise<JsonObject> {
  return prompt(options, async () => {
    const publicKey = PublicKeyCredential.parseRequestOptionsFromJSON(options as PublicKeyCredentialRequestOptionsJSON);
    return navigator.credentials.get({ publicKey, signal, ...(mediation && { mediation }) });
  });
}

async function prompt(options: unknown, ask: () => Promise<Credential | null>): Promise<JsonObject> {
  if (!canPrompt()) throw new HoldfastError('not_supported');
  const timeout = isObject(options) && typeof options.timeout === 'number' ? options.timeout : Number.POSITIVE_INFINITY;
  const asked = performance.now();
  try {
    const credential = await ask();
    if (!credential) throw new HoldfastError('cancelled');
    return withoutSecrets({ ...(credential as PublicKeyCredential).toJSON() });
  } catch (cause) {
    if (cause instanceof HoldfastError) throw cause;
    const code = codeOf(cause);
    const late = code === 'cancelled' && performance.now() - asked >= timeout;
    throw new HoldfastError(late ? 'timeout' : code, undefined, { cause });
  }
}

/** PRF outputs are keys (WebAuthn L3 §10.1.4): they stay here; that the extension is enabled may be told. */
function withoutSecrets(credential: JsonObject): JsonObject {
  const extensions = credential.clientExtensionResults;
  if (!isObject(extensions) || !isObject(extensions.prf)) return credential;
  const { results: _, ...prf } = extensions.prf;
  return { ...credential, clientExtensionResults: { ...extensions, prf } };
}

/** The names that WebAuthn L3 §5.1.3 and §5.1.4 give to failures. */
function codeOf(error: unknown): ErrorCode {
  switch (error instanceof Error ? error.name : '') {
    case 'InvalidStateError':
      return 'already_registered';
    case 'NotSupportedError':
    case 'ConstraintError':
      return 'not_supported';
    case 'SecurityError':
      return 'origin_refused';
    case 'TimeoutError':
      return 'timeout';
    default:
      // NotAllowedError covers refusal and no passkey alike, so that pages cannot tell them apart; and the prompt's own end.
      return 'cancelled';
  }
}
