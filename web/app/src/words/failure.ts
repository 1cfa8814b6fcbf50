import type { ErrorCode } from '@holdfast/client';
import { waiting } from '@holdfast/kit/when.ts';
import { t } from '@holdfast/kit/words.ts';

/** The user's actions. */
export type Action =
  | 'register'
  | 'enrol'
  | 'recover'
  | 'sign-in'
  | 'link'
  | 'trial'
  | 'check'
  | 'unlink'
  | 'lock'
  | 'unlock'
  | 'sign-out'
  | 'add-passkey'
  | 'rename-passkey'
  | 'delete-passkey'
  | 'end-session'
  | 'recovery-codes'
  | 'download-data'
  | 'delete-account';

/** Describes the failure of a user's action and what to do. `retryAfter` is the server's, in seconds. */
export function failure(code: ErrorCode, action: Action, retryAfter?: number): string {
  if (action === 'register') {
    if (code === 'forbidden') return t('New accounts need an invitation here. Open the link that you were sent.');
    if (code === 'invalid_request') return t('This name cannot be used. Take a shorter, plain one.');
  }
  if (action === 'recover' || action === 'enrol') {
    if (code === 'ceremony_invalid') {
      return action === 'recover'
        ? t('This code is not right, or it was used already. Look at each letter once more, or take another code.')
        : t('This link was used already, or it is too old. Ask support for a new one.');
    }
    if (code === 'already_registered') {
      return t('This device still holds a passkey for this account. Go back and sign in with it.');
    }
    if (code === 'conflict')
      return t('This account has 20 passkeys, which is all that it can have. Sign in with one of them.');
  }
  if (action === 'add-passkey') {
    if (code === 'already_registered') {
      return t(
        'This device, or its password manager, holds a passkey for your account already. Add one on another device.',
      );
    }
    if (code === 'conflict') return t('You have 20 passkeys, which is all that an account can have. Delete one first.');
  }
  if (action === 'rename-passkey' && code === 'invalid_request') {
    return t('This name cannot be used. Take a shorter, plain one.');
  }
  if (code === 'not_found' && (action === 'rename-passkey' || action === 'delete-passkey')) {
    return t('This passkey is not there any more.');
  }
  if (code === 'passkey_unknown' && action !== 'unlock') {
    return t('That passkey is of another account, so nothing was done. Try again, and choose one of yours.');
  }
  if (action === 'sign-out' && code === 'storage_unavailable') {
    return t(
      'This browser stores nothing for this page just now, so nothing was deleted and you are still signed in. Free some space, or allow site data, then reload.',
    );
  }
  if (action === 'lock' && (code === 'passkeys_unavailable' || code === 'not_supported')) {
    return t('This device could not be unlocked again: it has to hear from the server first. Connect, then check now.');
  }
  switch (code) {
    case 'cancelled':
      return cancelled(action);
    case 'timeout':
      return t('The passkey prompt was not answered in time. Try again.');
    case 'no_contact':
      return t('The server cannot be reached right now. Your notes are safe here; try again when you are online.');
    case 'not_supported':
      return t('This browser or device cannot use passkeys. Try another browser, or a phone nearby.');
    case 'prompt_failed':
      return t(
        'The passkey prompt failed. A password manager in this browser may be in the way: try again, or without it.',
      );
    case 'already_registered':
      return t('This device already holds a passkey for this account. Sign in with it.');
    case 'origin_refused':
      return t('Passkeys do not work at this address. Open the app at its usual address.');
    case 'credential_rejected':
      return t(
        'This passkey was not accepted. Try another one. If none is, the account may have been deleted, or the server reinstalled: ask support, or create a new account.',
      );
    case 'passkey_unknown':
      return t('This device does not know this passkey. Take the one that you sign in with, or sign in while online.');
    case 'assertion_invalid':
      return t('This passkey did not prove itself. Try again, or sign in while online.');
    case 'passkeys_unavailable':
      return t(
        'What this device would check your passkey with is missing. Connect, then sign in: your notes are still here.',
      );
    case 'last_passkey':
      return t('This is your only way in. Add another passkey or make recovery codes first, then delete it.');
    case 'ceremony_invalid':
      return t('This took too long or was used already. Try again.');
    case 'unauthenticated':
    case 'reauthentication_required':
      return t('For this, sign in with your passkey once more.');
    case 'rate_limited':
      return retryAfter
        ? t('Too many tries in a short time. Try again in {wait}.', { wait: waiting(retryAfter) })
        : t('Too many tries in a short time. Try again later.');
    case 'cross_origin':
      return t('This page is not allowed to do that from here. Open the app at its usual address.');
    case 'unavailable':
      return t('The server is busy. Try again in a moment.');
    case 'storage_unavailable':
      return t(
        'This browser stores nothing for this page: the disk may be full, or site data blocked. Free some space, or allow site data in the settings, then reload.',
      );
    case 'device_key_unavailable':
      return t('This browser cannot keep a key for this device, so premium cannot work offline here.');
    case 'roots_unavailable':
      return t('A part of the app is missing. Connect and reload the page.');
    case 'invalid_request':
      return t('The server did not understand this. Reload the page, then try again.');
    case 'device_limit':
      return t(
        "Your plan's devices are all in use. Choose one that this device replaces, or wait until a place frees up.",
      );
    default:
      return t('That did not work ({code}). Try again.', { code });
  }
}

/** By design, the browser reports a cancelled prompt and a missing passkey alike. */
function cancelled(action: Action): string {
  switch (action) {
    case 'sign-in':
      return t('No passkey was chosen. If none of yours is here, use a phone that has one, or a recovery code.');
    case 'unlock':
      return t('Still locked: no passkey was chosen. Try again with one that you sign in with.');
    case 'register':
    case 'enrol':
    case 'recover':
    case 'add-passkey':
      return t('No passkey was made. Try again when you are ready.');
    default:
      return t('Nothing has changed.');
  }
}
