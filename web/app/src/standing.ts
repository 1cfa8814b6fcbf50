import { computed } from '@preact/signals';
import { noteLimit, refusal } from './allowance.ts';
import { entitlement, now, storage, user } from './client.ts';
import { notes, trouble } from './notes/book.ts';
import { reached } from './reached.ts';
import { told } from './told.ts';
import { trialOffered } from './trial.ts';
import { whole } from './whole.ts';
import { standing } from './words/standing.ts';
import { partMissing, storageTrouble } from './words/storage.ts';

/** The user's current rights, in words. */
export const here = computed(() =>
  standing(entitlement.value, {
    now: now.value,
    reached: reached.value,
    trial: user.value !== null && trialOffered(user.value.id),
    told: told.value,
  }),
);

/** Whether support or a bank has taken premium away, which the list says, too. */
export const withdrawn = computed(() => entitlement.value.state === 'revoked' && !entitlement.value.signInNeeded);

/** The failure of this device's storage, in words; null: none. */
export const storageHere = computed(
  () => storageTrouble(storage.value) ?? (whole.value === false ? partMissing() : null),
);

/** The status line: the most important message now, or none. */
export const line = computed((): { readonly text: string | null; readonly tone: 'calm' | 'good' | 'attention' } => {
  if (trouble.value) return { text: trouble.value, tone: 'attention' };
  const { line: text, tone } = storageHere.value ?? here.value;
  return { text, tone };
});

/** How many notes may be held before creating another is refused. */
export const limit = computed(() => noteLimit(entitlement.value.features));

/** Why no further note can be created, or null. */
export const full = computed(() => {
  const granted = entitlement.value.features.notes !== undefined;
  return refusal(notes.value.length, limit.value, { free: !granted, trial: here.value.remedy === 'trial' });
});
