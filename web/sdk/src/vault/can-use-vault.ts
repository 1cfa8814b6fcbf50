import { canPrompt } from '../passkey/can-prompt.ts';

/**
 * Whether this browser may be able to open a vault: false if it certainly cannot. Whether the user's authenticator can is known
 * after the first {@link Vault.unlock}, which rejects with `prf_unavailable` if not. Say so before anything is marked private.
 *
 * @example
 * privateToggle.disabled = !(await canUseVault());
 */
export async function canUseVault(): Promise<boolean> {
  if (!canPrompt()) return false;
  try {
    const known = await PublicKeyCredential.getClientCapabilities();
    return (known as Record<string, boolean | undefined>)['extension:prf'] !== false;
  } catch {
    return true;
  }
}
