// For pages that talk to the server by themselves, such as a back office: only the passkey prompts, without device, storage
// or documents.
export { keepOffering } from './passkey/offer.ts';
export { createPasskey, pickPasskey } from './passkey/passkey-prompt.ts';
