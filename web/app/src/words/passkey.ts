import type { OpenSession, Passkey } from '@holdfast/client';
import { inWords } from '@holdfast/kit/when.ts';

/** Where a passkey is stored, since when, and when it was last used. */
export function aboutPasskey({ provider, synced, createdAt, lastUsedAt }: Passkey, now: Date): string {
  const kept = synced ? 'synced between your devices' : 'on one device only';
  const used = lastUsedAt ? `last used ${inWords(lastUsedAt, now)}` : 'not used yet';
  const where = provider === '' ? `${kept.charAt(0).toUpperCase()}${kept.slice(1)}` : `${provider}, ${kept}`;
  return `${where}. Added ${inWords(createdAt, now)}, ${used}.`;
}

/** When and how a session began, and when it was last active. Its activity is known to the hour only. */
export function aboutSession(session: OpenSession, passkeys: readonly Passkey[], now: Date): string {
  const { authenticatedAt, lastActiveAt, current } = session;
  const opener = passkeys.find(({ id }) => id === session.passkey);
  const by = opener ? ` with ${opener.name}` : session.passkey ? ' with a passkey that is deleted' : '';
  const active = current ? '' : `, last active ${inWords(later(authenticatedAt, lastActiveAt), now)}`;
  return `Signed in ${inWords(authenticatedAt, now)}${by}${active}.`;
}

function later(a: Date, b: Date): Date {
  return a > b ? a : b;
}
