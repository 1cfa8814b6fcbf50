/** Whether this browser has WebAuthn with its JSON forms. */
export function canPrompt(): boolean {
  return typeof PublicKeyCredential !== 'undefined' && 'parseCreationOptionsFromJSON' in PublicKeyCredential;
}
