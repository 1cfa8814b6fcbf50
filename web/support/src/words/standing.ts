import type { ListedUser, State } from '@holdfast/api';
import { t } from '@holdfast/kit/words.ts';

interface Standing {
  readonly word: string;
  readonly tone: 'good' | 'attention' | '';
}

export const states: readonly State[] = ['active', 'grace', 'expired', 'revoked', 'none'];

/** The state of a customer's best subscription, in a word. */
export function stateWords(state: State): Standing {
  return {
    active: { word: t('Active'), tone: 'good' },
    grace: { word: t('Grace'), tone: 'attention' },
    expired: { word: t('Over'), tone: '' },
    revoked: { word: t('Revoked'), tone: 'attention' },
    none: { word: t('Free'), tone: '' },
  }[state] as Standing;
}

export function standing({ state, trial }: Pick<ListedUser, 'state' | 'trial'>): Standing {
  const words = stateWords(state);
  return trial && state === 'active' ? { ...words, word: t('Trial') } : words;
}
