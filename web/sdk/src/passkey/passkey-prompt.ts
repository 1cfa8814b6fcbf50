import { HoldfastError } from '../base/error.ts';
import type { ErrorCode } from '../base/error-code.ts';
import { isObject, type JsonObject } from '../base/strict-json.ts';
import { canPrompt } from './can-prompt.ts';
import { readCreationOptions, readRequestOptions, writeCredential } from './passkey-json.ts';

/** Bytes that WebCrypto takes, in words that TypeScript 5.4 knows too. */
type Bytes = ReturnType<Uint8ArrayConstructor['from']>;

/** An assertion, and the PRF output that never leaves the device; null: the authenticator has no PRF. */
export interface Evaluated {
  readonly assertion: JsonObject;
  readonly output: Bytes | null;
}

/**
 * Lets the user create a passkey. `options` is the server's WebAuthn JSON; the result is WebAuthn JSON to post unchanged.
 */
export async function createPasskey(options: unknown, signal: AbortSignal): Promise<JsonObject> {
  return prompt(options, signal, () =>
    navigator.credentials.create({ publicKey: readCreationOptions(options), signal }),
  );
}

/** Lets the user pick a passkey: in a dialog, or with `conditional` in a form's autofill. */
export async function pickPasskey(
  options: unknown,
  signal: AbortSignal,
  mediation: 'conditional' | undefined,
): Promise<JsonObject> {
  return prompt(options, signal, () =>
    navigator.credentials.get({ publicKey: readRequestOptions(options), signal, ...(mediation && { mediation }) }),
  );
}

/** Lets the user pick a passkey that also evaluates its PRF (WebAuthn L3 §10.1.4) for `input`. */
export async function evaluatePasskey(options: JsonObject, input: Bytes, signal: AbortSignal): Promise<Evaluated> {
  const publicKey = { ...readRequestOptions(options), extensions: { prf: { eval: { first: input } } } };
  const read = (credential: Credential): Evaluated => {
    const { first } = (credential as PublicKeyCredential).getClientExtensionResults().prf?.results ?? {};
    const view = ArrayBuffer.isView(first) ? new Uint8Array(first.buffer, first.byteOffset, first.byteLength) : first;
    return { assertion: writeCredential(credential), output: view ? new Uint8Array(view) : null };
  };
  return prompt(options, signal, () => navigator.credentials.get({ publicKey, signal }), read);
}

async function prompt<T = JsonObject>(
  options: unknown,
  signal: AbortSignal,
  ask: () => Promise<Credential | null>,
  read: (credential: Credential) => T = writeCredential as (credential: Credential) => T,
): Promise<T> {
  if (!canPrompt()) throw new HoldfastError('not_supported');
  const timeout = isObject(options) && typeof options.timeout === 'number' ? options.timeout : Number.POSITIVE_INFINITY;
  const asked = performance.now();
  try {
    const credential = await ask();
    if (!credential) throw new HoldfastError('cancelled');
    return read(credential);
  } catch (cause) {
    if (cause instanceof HoldfastError) throw cause;
    const code = codeOf(cause, signal);
    const late = code === 'cancelled' && performance.now() - asked >= timeout;
    throw new HoldfastError(late ? 'timeout' : code, undefined, { cause });
  }
}

/** Maps the failure names of WebAuthn L3 §5.1.3 and §5.1.4. */
function codeOf(error: unknown, signal: AbortSignal): ErrorCode {
  switch (error instanceof Error ? error.name : '') {
    case 'NotAllowedError': // Also for a missing passkey, so that pages cannot tell the two apart.
    case 'AbortError':
      return 'cancelled';
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
      // A signal can be aborted with any reason.
      return signal.aborted ? 'cancelled' : 'prompt_failed';
  }
}
