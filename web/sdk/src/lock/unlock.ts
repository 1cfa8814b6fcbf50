import { encodeBase64url } from '../base/base64url.ts';
import type { JsonObject } from '../base/strict-json.ts';
import { type Evaluated, evaluatePasskey, pickPasskey } from '../passkey/passkey-prompt.ts';
import type { Context } from '../state/context.ts';
import { verifyAssertion } from '../verify/assertion.ts';
import { readOfflinePasskeys } from './offline-passkeys.ts';

/**
 * Lets the signed-in user use one of their passkeys, without network; resolves with the user's id once the assertion has
 * verified. Rejects as the prompt does, as {@link readOfflinePasskeys} does, or with `passkey_unknown` or
 * `assertion_invalid`.
 */
export async function showPasskey(context: Context, ended: AbortSignal): Promise<string> {
  return showOne(context, (request) =>
    pickPasskey(request, ended, undefined).then((assertion) => ({ assertion })),
  ).then(({ user }) => user);
}

/** A passkey that its user has just shown. */
export interface Shown {
  readonly user: string;
  /** The credential id, base64url. */
  readonly credential: string;
  /** The ids of all the user's passkeys that this device can verify. */
  readonly all: readonly string[];
  /** The PRF output for the input; null: the authenticator has no PRF. */
  readonly output: Uint8Array<ArrayBuffer> | null;
}

/** As {@link showPasskey}, with the passkey's PRF evaluated for an input that may depend on the user. */
export async function showPasskeyWithPrf(
  context: Context,
  ended: AbortSignal,
  input: (user: string) => Promise<Uint8Array<ArrayBuffer>>,
): Promise<Shown> {
  return showOne(context, async (request, user) => evaluatePasskey(request, await input(user), ended));
}

async function showOne(
  context: Context,
  ask: (request: JsonObject, user: string) => Promise<Partial<Evaluated> & Pick<Evaluated, 'assertion'>>,
): Promise<Shown> {
  const { user, rpId, keys } = await readOfflinePasskeys(context);
  // The challenge lives as long as this prompt and is never stored, so its assertion can open nothing else.
  const challenge = crypto.getRandomValues(new Uint8Array(32));
  const all = [...keys.keys()];
  const request = {
    challenge: encodeBase64url(challenge),
    rpId,
    userVerification: 'required',
    allowCredentials: all.map((id) => ({ type: 'public-key', id })),
  };
  const { assertion, output = null } = await ask(request, user);
  await verifyAssertion(assertion, { challenge, origin: location.origin, rpId, user, keys });
  return { user, credential: String(assertion.id), all, output };
}
