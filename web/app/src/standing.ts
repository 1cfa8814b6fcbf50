import { computed } from '@preact/signals';
import { noteLimit, refusal } from './allowance.ts';
import { entitlement, now, reached, user } from './client.ts';
import { notes } from './notes/book.ts';
import { trialOffered } from './trial.ts';
import { standing } from './words.ts';

/** What the user has, in words, as of now. */
export const here = computed(() =>
  standing(entitlement.value, {
    now: now.value,
    reached: reached.value,
    trial: user.value !== null && trialOffered(user.value.id),
  }),
);

/** How many notes may be held before creating another is refused. */
export const limit = computed(() => noteLimit(entitlement.value.features));

/** Why no further note can be created, or null. */
export const full = computed(() => {
  const granted = entitlement.value.features.notes !== undefined;
  return refusal(notes.value.length, limit.value, !granted);
});
