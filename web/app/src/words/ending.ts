import type { Entitlement } from '@holdfast/client';

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
        what: 'Your trial',
        ran: 'The trial ran',
        ended: 'has ended',
        again: 'To have unlimited notes and export again, get a subscription.',
      };
    case 'granted':
      return {
        what: 'The time that support gave you',
        ran: 'It ran',
        ended: 'has ended',
        again: 'To have unlimited notes and export again, get a subscription, or ask support.',
      };
    case 'cancelled':
      return {
        what: 'Your subscription',
        ran: 'It was cancelled, and ran',
        ended: 'has ended',
        again: 'There is nothing to pay. If you change your mind, subscribe again.',
      };
    default:
      return null;
  }
}
