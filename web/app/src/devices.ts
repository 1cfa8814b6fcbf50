import { HoldfastError, type LinkedDevice } from '@holdfast/client';
import { effect, signal } from '@preact/signals';
import { attempt, confirmed, requireSession, userId } from './client.ts';

/** The user's devices, the one last seen first; or why they are not known. */
export type Listing = readonly LinkedDevice[] | 'not asked' | 'out of reach' | 'session over';

export const devices = signal<Listing>('not asked');

/** Only the newest question's answer counts. */
let asked = 0;

/** Brings {@link devices} up to date. Never rejects. A list that is shown stays while another one cannot be had. */
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

// The next one to see the page may be another user.
effect(() => {
  userId.value;
  forgetDevices();
});

/** Takes another device out of the account: at its next contact premium ends there. */
export function unlinkDevice({ id, name }: LinkedDevice): Promise<boolean> {
  return attempt('unlink', async () => {
    const session = await requireSession();
    // Gone already is as good as unlinked.
    await confirmed(session, () => session.unlinkDevice(id)).catch((error: unknown) => {
      if (!(error instanceof HoldfastError) || error.code !== 'not_found') throw error;
    });
    await listDevices();
    return { good: true, text: `${name} is unlinked.` };
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
