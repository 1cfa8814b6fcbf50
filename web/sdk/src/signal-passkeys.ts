import { displayNameOf, type Passkey } from './passkey.ts';
import type { Server } from './server.ts';
import { isObject, type JsonObject } from './strict-json.ts';
import type { User } from './user.ts';
import { userHandle } from './user-handle.ts';

// Telling authenticators and password managers what has become of passkeys (WebAuthn L3 §5.1.10), where the browser can:
// courtesies that nothing depends on, so none of them ever rejects.

/** Tells which passkeys still count, and the name of the one that has just signed in, if this device keeps it. */
export async function signalPasskeys(server: Server, rpId: string, user: User, used: Passkey): Promise<void> {
  const userId = userHandle(user.id);
  if (userId === null) return;
  const signalList = async () => {
    if (!canSignal('signalAllAcceptedCredentials')) return;
    const allAcceptedCredentialIds = readIds(await server.request('GET', '/v1/passkeys'));
    // What is missing from the list is hidden from the user: one without the passkey just used is stale, or another's.
    if (!allAcceptedCredentialIds.includes(used.id)) return;
    await signal('signalAllAcceptedCredentials', { rpId, userId, allAcceptedCredentialIds });
  };
  await Promise.allSettled([used.here && signalName(rpId, user, displayNameOf(used, user)), signalList()]);
}

/**
 * Tells what the user is called, and what their passkey on this device is. The browser has one such name for all of a user's passkeys
 * that it can reach; an authenticator holds one of them at most, since it never makes a second one for the same account.
 */
export async function signalName(rpId: string, { id, name }: User, displayName: string): Promise<void> {
  const userId = userHandle(id);
  if (userId === null) return;
  await signal('signalCurrentUserDetails', { rpId, userId, name, displayName }).catch(() => {});
}

/** Tells that this one passkey counts no more. */
export async function signalDeleted(rpId: string, credentialId: string): Promise<void> {
  await signal('signalUnknownCredential', { rpId, credentialId }).catch(() => {});
}

/** Tells that none of the user's passkeys counts any more. */
export async function signalNone(rpId: string, user: User): Promise<void> {
  const userId = userHandle(user.id);
  if (userId === null) return;
  await signal('signalAllAcceptedCredentials', { rpId, userId, allAcceptedCredentialIds: [] }).catch(() => {});
}

type Signals = Pick<
  typeof PublicKeyCredential,
  'signalAllAcceptedCredentials' | 'signalCurrentUserDetails' | 'signalUnknownCredential'
>;

function canSignal(name: keyof Signals): boolean {
  return typeof PublicKeyCredential !== 'undefined' && typeof PublicKeyCredential[name] === 'function';
}

async function signal<Name extends keyof Signals>(name: Name, ...options: Parameters<Signals[Name]>): Promise<void> {
  if (!canSignal(name)) return;
  const [details] = options;
  await (PublicKeyCredential as unknown as Record<Name, (details: unknown) => Promise<void>>)[name](details);
}

/** A list that is not whole is none. */
function readIds({ passkeys }: JsonObject): string[] {
  if (!Array.isArray(passkeys)) return [];
  const ids = passkeys.map((passkey) => (isObject(passkey) ? passkey.id : null));
  return ids.every((id) => typeof id === 'string') ? ids : [];
}
