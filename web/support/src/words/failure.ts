import type { HoldfastError } from '@holdfast/client';
import { t } from '@holdfast/kit/words.ts';
import { relative } from './time.ts';

/** Why a change or a lookup failed and what to do; null: nothing to report. */
export function failure({ code, message, retryAfter }: HoldfastError, what: 'change' | 'look'): string | null {
  switch (code) {
    case 'cancelled':
      return null;
    case 'timeout':
      return t('The passkey prompt was not answered in time. Try again.');
    case 'no_contact':
      return what === 'look'
        ? t('The server cannot be reached right now. Check your connection and try again.')
        : t(
            'The server did not answer, so this may or may not have been done. You can safely try again: it is done only once.',
          );
    case 'not_supported':
      return t('This browser or device cannot use passkeys. Try another browser, or a phone near by.');
    case 'already_registered':
      return t('This device holds a passkey for this account already. Sign in with it.');
    case 'origin_refused':
      return t('Passkeys do not work at this address. Open the console at its usual address.');
    case 'credential_rejected':
      return t('This passkey was not accepted. Try another one.');
    case 'ceremony_invalid':
      return t('This link or prompt is wrong, over or used already. Start again, or ask for a new link.');
    case 'forbidden':
      return t('Your role does not allow this: it takes an administrator.');
    case 'unauthenticated':
    case 'reauthentication_required':
      return t('Sign in with your passkey once more.');
    case 'not_found':
      return what === 'look'
        ? t('There is nothing here, or not any more.')
        : t('It is not there any more. Reload the page.');
    case 'conflict':
      return t('This contradicts what is stored, or is being done by somebody else just now. Reload and look again.');
    case 'invalid_request':
      return message === code ? t('The server did not take this. Look at what you have entered.') : message;
    case 'rate_limited':
      return retryAfter
        ? t('Too many tries in a short time. Try again {later}.', { later: wait(retryAfter) })
        : t('Too many tries in a short time. Try again later.');
    case 'cross_origin':
      return t('This page may not do that from here. Open the console at its usual address.');
    case 'unavailable':
      // If the outcome is unknown, the server says whether a retry is safe.
      return what === 'look' || message === code ? t('The server is busy. Try again in a moment.') : message;
    default:
      return t('That did not work ({code}). Try again.', { code });
  }
}

function wait(seconds: number): string {
  return relative(new Date(seconds * 1000), new Date(0));
}
