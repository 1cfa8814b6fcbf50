// For pages that talk to the server by themselves, such as a back office: only the passkey prompts, without device, storage
// or documents.
export { keepOffering } from './offer.ts';
export { createPasskey, pickPasskey } from './passkey-prompt.ts';
