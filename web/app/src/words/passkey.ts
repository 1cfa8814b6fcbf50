import type { OpenSession, Passkey } from '@holdfast/client';
import { inWords } from '@holdfast/kit/when.ts';
import { sentences, t } from '@holdfast/kit/words.ts';
import { lower } from './standing.ts';

/** Where a passkey is stored, since when, and when it was last used. */
export function aboutPasskey({ provider, synced, createdAt, lastUsedAt }: Passkey, now: Date): string {
  const kept = synced ? t('Synced between your devices') : t('On one device only');
  const where = provider === '' ? kept : `${provider}, ${lower(kept)}`;
  const added = inWords(createdAt, now);
  return lastUsedAt
    ? t('{where}. Added {added}, last used {used}.', { where, added, used: inWords(lastUsedAt, now) })
    : t('{where}. Added {added}, not used yet.', { where, added });
}

/** When and how a session began, and when it was last active. Its activity is known to the hour only. */
export function aboutSession(session: OpenSession, passkeys: readonly Passkey[], now: Date): string {
  const { authenticatedAt, lastActiveAt, current } = session;
  const opener = passkeys.find(({ id }) => id === session.passkey)?.name;
  const begun = inWords(authenticatedAt, now);
  const began = opener
    ? t('Signed in {begun} with {opener}.', { begun, opener })
    : session.passkey
      ? t('Signed in {begun} with a passkey that is deleted.', { begun })
      : t('Signed in {begun}.', { begun });
  const active = inWords(later(authenticatedAt, lastActiveAt), now);
  return sentences(began, !current && t('Last active {active}.', { active }));
}

function later(a: Date, b: Date): Date {
  return a > b ? a : b;
}
