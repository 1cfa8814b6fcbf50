import type { Held } from './store.ts';

/** The ids of the user's passkeys known to be kept by this device. A damaged record counts as empty. */
export function keptHere({ user, here }: Held, userId: string): readonly string[] {
  return user?.id === userId && Array.isArray(here) ? here.filter((id) => typeof id === 'string') : [];
}
