import type { Entitlement } from '@holdfast/client';
import { t } from '@holdfast/kit/words.ts';

/** The words for an end at which no payment was expected. */
export interface EndingWords {
  /** "The trial", at the beginning of a sentence. */
  readonly what: string;
  /** "ran", "were" or "was paid", followed by "until" and a time. */
  readonly ran: string;
  readonly ended: string;
  /** How to go on. */
  readonly again: string;
}

/** The words for a known ending; null: a payment was expected. */
export function endingWords(ending: Entitlement['ending']): EndingWords | null {
  switch (ending) {
    case 'trial':
      return {
        what: t('Your trial'),
        ran: t('The trial ran'),
        ended: t('has ended'),
        again: t('To have unlimited notes and export again, get a subscription.'),
      };
    case 'granted':
      return {
        what: t('The time that support gave you'),
        ran: t('It ran'),
        ended: t('has ended'),
        again: t('To have unlimited notes and export again, get a subscription, or ask support.'),
      };
    case 'cancelled':
      return {
        what: t('Your subscription'),
        ran: t('It was cancelled, and ran'),
        ended: t('has ended'),
        again: t('There is nothing to pay. If you change your mind, subscribe again.'),
      };
    default:
      return null;
  }
}
