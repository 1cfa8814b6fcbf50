import { canPrompt } from './can-prompt.ts';

/**
 * The passkey features of this browser, so that a page offers only those.
 *
 * @example
 * const { autofill } = await passkeySupport();
 * if (autofill) hf.signIn({ mediation: "conditional" }).catch(() => {});
 */
export interface PasskeySupport {
  /** Whether passkeys can be used at all. */
  readonly usable: boolean;
  /** Whether they are offered in a form's autofill: in a field with `autocomplete="username webauthn"`. */
  readonly autofill: boolean;
  /** Whether this device can keep passkeys itself. */
  readonly here: boolean;
  /** Whether the passkeys of a phone nearby can be used. */
  readonly nearby: boolean;
}

/**
 * Asks the browser. Never rejects: an unreported feature counts as absent, except for a phone nearby, which has always been
 * possible.
 */
export async function passkeySupport(): Promise<PasskeySupport> {
  if (!canPrompt()) return { usable: false, autofill: false, here: false, nearby: false };
  // WebAuthn L3 §5.1.7. An absent capability is unknown, so the methods of older browsers are asked as well.
  const known = await answer(() => PublicKeyCredential.getClientCapabilities(), {});
  const [autofill, here] = await Promise.all([
    known.conditionalGet ?? answer(() => PublicKeyCredential.isConditionalMediationAvailable(), false),
    known.passkeyPlatformAuthenticator ??
      answer(() => PublicKeyCredential.isUserVerifyingPlatformAuthenticatorAvailable(), false),
  ]);
  return { usable: true, autofill, here, nearby: known.hybridTransport ?? true };
}

async function answer<T>(ask: () => Promise<T>, otherwise: T): Promise<T> {
  try {
    return await ask();
  } catch {
    return otherwise;
  }
}
