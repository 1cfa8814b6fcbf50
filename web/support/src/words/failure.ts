import type { HoldfastError } from '@holdfast/client';
import { duration } from './time.ts';

/** Why a change or a lookup failed and what to do; null: nothing to report. */
export function failure({ code, message, retryAfter }: HoldfastError, what: 'change' | 'look'): string | null {
  switch (code) {
    case 'cancelled':
      return null;
    case 'timeout':
      return 'The passkey prompt was not answered in time. Try again.';
    case 'no_contact':
      return what === 'look'
        ? 'The server cannot be reached right now. Check your connection and try again.'
        : 'The server did not answer, so this may or may not have been done. You can safely try again: it is done only once.';
    case 'not_supported':
      return 'This browser or device cannot use passkeys. Try another browser, or a phone near by.';
    case 'already_registered':
      return 'This device holds a passkey for this account already. Sign in with it.';
    case 'origin_refused':
      return 'Passkeys do not work at this address. Open the console at its usual address.';
    case 'credential_rejected':
      return 'This passkey was not accepted. Try another one.';
    case 'ceremony_invalid':
      return 'This link or prompt is wrong, over or used already. Start again, or ask for a new link.';
    case 'forbidden':
      return 'Your role does not allow this: it takes an administrator.';
    case 'unauthenticated':
    case 'reauthentication_required':
      return 'Sign in with your passkey once more.';
    case 'not_found':
      return what === 'look' ? 'There is nothing here, or not any more.' : 'It is not there any more. Reload the page.';
    case 'conflict':
      return 'This contradicts what is stored, or is being done by somebody else just now. Reload and look again.';
    case 'invalid_request':
      return message === code ? 'The server did not take this. Look at what you have entered.' : message;
    case 'rate_limited':
      return `Too many tries in a short time. Try again ${retryAfter ? `in ${duration(retryAfter * 1000)}` : 'later'}.`;
    case 'cross_origin':
      return 'This page may not do that from here. Open the console at its usual address.';
    case 'unavailable':
      // If the outcome is unknown, the server says whether a retry is safe.
      return what === 'look' || message === code ? 'The server is busy. Try again in a moment.' : message;
    default:
      return `That did not work (${code}). Try again.`;
  }
}
