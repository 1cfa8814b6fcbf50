import type { Notice } from '@holdfast/client';
import { inWords } from './when.ts';

/** Describes a notice, and what to do if somebody else caused it. `passkey` is the user's name for the passkey concerned. */
export function noticeWords({ code, at, reason }: Notice, passkey: string | null, now: Date): string {
  const when = inWords(at, now);
  const named = passkey === null ? 'a passkey' : `the passkey ${passkey}`;
  switch (code) {
    case 'account_recovered': {
      const how = reason === 'recovery' ? 'a link from support' : 'a recovery code';
      return (
        `Your account was recovered with ${how} (${when}): a new passkey was added, and all sessions of that time were ended. ` +
        'If that was not you, delete the passkey that you do not know, with its sessions, and make new recovery codes.'
      );
    }
    case 'passkey_rejected':
      return (
        `A sign-in with ${named} was refused (${when}), because ${why(reason)}. ` +
        'If that was not you, delete that passkey and add another one.'
      );
    default:
      return `Something happened to your account (${when}). Look at your passkeys and sessions.`;
  }
}

function why(reason: string): string {
  return reason === 'user_verification'
    ? 'it did not ask who is there: no fingerprint, face or PIN'
    : 'it may have been copied';
}
