import type { Notice } from '@holdfast/client';
import { inWords } from './when.ts';
import { sentences, t } from './words.ts';

/** Describes a notice, and what to do if somebody else caused it. `passkey` is the user's name for the passkey concerned. */
export function noticeWords({ code, at, reason }: Notice, passkey: string | null, now: Date): string {
  const when = inWords(at, now);
  switch (code) {
    case 'account_recovered':
      return sentences(
        reason === 'recovery'
          ? t('Your account was recovered with a link from support ({when}).', { when })
          : t('Your account was recovered with a recovery code ({when}).', { when }),
        t('A new passkey was added, and all sessions of that time were ended.'),
        t(
          'If that was not you, delete the passkey that you do not know, with its sessions, and make new recovery codes.',
        ),
      );
    case 'passkey_rejected':
      return sentences(
        passkey === null
          ? t('A sign-in with a passkey was refused ({when}).', { when })
          : t('A sign-in with the passkey {passkey} was refused ({when}).', { passkey, when }),
        reason === 'user_verification'
          ? t('It did not ask who is there: no fingerprint, face or PIN.')
          : t('The passkey may have been copied.'),
        t('If that was not you, delete that passkey and add another one.'),
      );
    default:
      return t('Something happened to your account ({when}). Look at your passkeys and sessions.', { when });
  }
}
