import type { ListedUser, State } from '@holdfast/api';

interface Standing {
  readonly word: string;
  readonly tone: 'good' | 'attention' | '';
}

/** The state of a customer's best subscription, in a word. */
export const stateWords: Readonly<Record<State, Standing>> = {
  active: { word: 'Active', tone: 'good' },
  grace: { word: 'Grace', tone: 'attention' },
  expired: { word: 'Over', tone: '' },
  revoked: { word: 'Revoked', tone: 'attention' },
  none: { word: 'Free', tone: '' },
};

export function standing({ state, trial }: Pick<ListedUser, 'state' | 'trial'>): Standing {
  return trial && state === 'active' ? { ...stateWords.active, word: 'Trial' } : stateWords[state];
}
