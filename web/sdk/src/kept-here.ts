import type { Held } from './store.ts';

/** Ids of the user's passkeys that this device keeps, as far as it knows. A damaged record tells of none. */
export function keptHere({ user, here }: Held, userId: string): readonly string[] {
  return user?.id === userId && Array.isArray(here) ? here.filter((id) => typeof id === 'string') : [];
}
