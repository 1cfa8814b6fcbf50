import { isObject, type JsonObject } from '../base/strict-json.ts';
import type { User } from '../base/user.ts';
import { userHandle } from '../base/user-handle.ts';
import type { Server } from '../server/server.ts';
import { displayNameOf, type Passkey } from './passkey.ts';

// Signals changes of passkeys to authenticators and password managers (WebAuthn L3 §5.1.10), where the browser supports it.
// Nothing depends on these signals, so they never reject.

/** Signals the accepted passkeys, and the name of the one just used if this device stores it. */
export async function signalPasskeys(server: Server, rpId: string, user: User, used: Passkey): Promise<void> {
  const userId = userHandle(user.id);
  if (userId === null) return;
  const signalList = async () => {
    if (!canSignal('signalAllAcceptedCredentials')) return;
    const allAcceptedCredentialIds = readIds(await server.request('GET', '/v1/passkeys'));
    // Passkeys missing from the list are hidden from the user. A list without the passkey just used is stale or another
    // user's.
    if (!allAcceptedCredentialIds.includes(used.id)) return;
    await signal('signalAllAcceptedCredentials', { rpId, userId, allAcceptedCredentialIds });
  };
  await Promise.allSettled([used.here && signalName(rpId, user, displayNameOf(used, user)), signalList()]);
}

/**
 * Signals the names of the user and of their passkey on this device. The browser applies one such name to all of a user's
 * passkeys within reach; an authenticator holds at most one of them, since it never makes a second one for the same account.
 */
export async function signalName(rpId: string, { id, name }: User, displayName: string): Promise<void> {
  const userId = userHandle(id);
  if (userId === null) return;
  await signal('signalCurrentUserDetails', { rpId, userId, name, displayName }).catch(() => {});
}

/** Signals that this passkey is no longer accepted. */
export async function signalDeleted(rpId: string, credentialId: string): Promise<void> {
  await signal('signalUnknownCredential', { rpId, credentialId }).catch(() => {});
}

/** Signals that none of the user's passkeys is accepted any more. */
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

/** Reads the ids, all or none. */
function readIds({ passkeys }: JsonObject): string[] {
  if (!Array.isArray(passkeys)) return [];
  const ids = passkeys.map((passkey) => (isObject(passkey) ? passkey.id : null));
  return ids.every((id) => typeof id === 'string') ? ids : [];
}
