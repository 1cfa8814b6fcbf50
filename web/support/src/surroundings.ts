import type { AdminSession } from '@holdfast/api';
import { signal } from '@preact/signals';
import type { Answer } from './answer.ts';
import { call } from './server.ts';
import { may } from './session.ts';

/** Whether there are unchecked gaps. */
export const gapsOpen = signal(false);

/** The staff members known by name: all of them for an administrator, otherwise the current one. */
export const names = signal<ReadonlyMap<string, string>>(new Map());

/** Not requested by the user, so a failure is silent. */
export async function lookForGaps(): Promise<void> {
  const answer = await call<Answer<'listGaps'>>('GET', '/admin/v1/gaps?limit=1').catch(() => null);
  if (answer) gapsOpen.value = answer.gaps.length > 0;
}

export async function learnNames({ user }: AdminSession): Promise<void> {
  const known = may('admin') ? await call<Answer<'listStaff'>>('GET', '/admin/v1/staff').catch(() => null) : null;
  names.value = new Map([...(known?.staff ?? []), ...(user ? [user] : [])].map(({ id, name }) => [id, name]));
}
