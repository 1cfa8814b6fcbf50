import type { Server } from './server.ts';
import { isObject, type JsonObject } from './strict-json.ts';
import type { User } from './user.ts';
import { userHandle } from './user-handle.ts';

/**
 * Tells authenticators and password managers the user's name and which passkeys still count (WebAuthn L3 §5.1.10), where
 * the browser can. A courtesy that nothing depends on: never rejects. `used` is the passkey that has just signed in.
 */
export async function signalPasskeys(server: Server, rpId: string, { id, name }: User, used: unknown): Promise<void> {
  const userId = userHandle(id);
  if (userId === null || typeof PublicKeyCredential === 'undefined') return;

  const signalName = async () => {
    if (typeof PublicKeyCredential.signalCurrentUserDetails !== 'function') return;
    await PublicKeyCredential.signalCurrentUserDetails({ rpId, userId, name, displayName: name });
  };
  const signalList = async () => {
    if (typeof PublicKeyCredential.signalAllAcceptedCredentials !== 'function') return;
    const allAcceptedCredentialIds = readIds(await server.request('GET', '/v1/passkeys'));
    // What is missing from the list is hidden from the user: one without the passkey just used is stale, or another's.
    if (!allAcceptedCredentialIds.some((accepted) => accepted === used)) return;
    await PublicKeyCredential.signalAllAcceptedCredentials({ rpId, userId, allAcceptedCredentialIds });
  };
  await Promise.allSettled([signalName(), signalList()]);
}

/** A list that is not whole is none. */
function readIds({ passkeys }: JsonObject): string[] {
  if (!Array.isArray(passkeys)) return [];
  const ids = passkeys.map((passkey) => (isObject(passkey) ? passkey.id : null));
  return ids.every((id) => typeof id === 'string') ? ids : [];
}
