import { HoldfastError, type LinkedDevice } from '@holdfast/client';
import { t } from '@holdfast/kit/words.ts';
import { effect, signal } from '@preact/signals';
import { attempt, confirmed, requireSession, userId } from './client.ts';

/** The user's devices, most recently seen first, or why they are unknown. */
export type Listing = readonly LinkedDevice[] | 'not asked' | 'out of reach' | 'session over';

export const devices = signal<Listing>('not asked');

/** Only the answer to the latest request counts. */
let asked = 0;

/** Refreshes {@link devices}. Never rejects. A failed refresh keeps the list shown. */
export async function listDevices(): Promise<void> {
  const question = ++asked;
  const listing = await read().catch(why);
  if (question !== asked) return;
  if (listing === 'out of reach' && Array.isArray(devices.peek())) return;
  devices.value = listing;
}

export function forgetDevices(): void {
  asked++;
  devices.value = 'not asked';
}

// The page may have another user next.
effect(() => {
  userId.value;
  forgetDevices();
});

/** Removes another device from the account: premium ends there at its next contact. */
export function unlinkDevice({ id, name }: LinkedDevice): Promise<boolean> {
  return attempt('unlink', async () => {
    const session = await requireSession();
    // A device that is already gone counts as unlinked.
    await confirmed(session, () => session.unlinkDevice(id)).catch((error: unknown) => {
      if (!(error instanceof HoldfastError) || error.code !== 'not_found') throw error;
    });
    await listDevices();
    return { good: true, text: t('{name} is unlinked.', { name }) };
  });
}

async function read(): Promise<Listing> {
  const session = await requireSession();
  const seen = ({ lastReconciledAt, linkedAt }: LinkedDevice) => (lastReconciledAt ?? linkedAt).getTime();
  return [...(await session.devices())].sort((a, b) => seen(b) - seen(a));
}

function why(error: unknown): Listing {
  return error instanceof HoldfastError && error.code === 'unauthenticated' ? 'session over' : 'out of reach';
}
