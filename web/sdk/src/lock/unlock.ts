import { encodeBase64url } from '../base/base64url.ts';
import { pickPasskey } from '../passkey/passkey-prompt.ts';
import type { Context } from '../state/context.ts';
import { verifyAssertion } from '../verify/assertion.ts';
import { readOfflinePasskeys } from './offline-passkeys.ts';

/**
 * Lets the signed-in user use one of their passkeys, without network; resolves with the user's id once the assertion has
 * verified. Rejects as the prompt does, as {@link readOfflinePasskeys} does, or with `passkey_unknown` or
 * `assertion_invalid`.
 */
export async function showPasskey(context: Context, ended: AbortSignal): Promise<string> {
  const { user, rpId, keys } = await readOfflinePasskeys(context);
  // The challenge lives as long as this prompt and is never stored, so its assertion can open nothing else.
  const challenge = crypto.getRandomValues(new Uint8Array(32));
  const request = {
    challenge: encodeBase64url(challenge),
    rpId,
    userVerification: 'required',
    allowCredentials: [...keys.keys()].map((id) => ({ type: 'public-key', id })),
  };
  const assertion = await pickPasskey(request, ended, undefined);
  await verifyAssertion(assertion, { challenge, origin: location.origin, rpId, user, keys });
  return user;
}
