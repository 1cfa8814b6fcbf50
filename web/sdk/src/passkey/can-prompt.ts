/** Whether this browser has WebAuthn. */
export function canPrompt(): boolean {
  return typeof PublicKeyCredential !== 'undefined' && globalThis.navigator?.credentials !== undefined;
}
