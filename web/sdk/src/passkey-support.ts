import { canPrompt } from './can-prompt.ts';

/**
 * The passkey features of this browser, which a page should offer.
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
  /** Whether those of a phone near by can be used. */
  readonly nearby: boolean;
}

/** Asks the browser. Never rejects: what it does not say, it does not have; only a phone near by has always been possible. */
export async function passkeySupport(): Promise<PasskeySupport> {
  if (!canPrompt()) return { usable: false, autofill: false, here: false, nearby: false };
  // WebAuthn L3 §5.1.7. A capability that is absent is not known, so what older browsers have instead is asked, too.
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
