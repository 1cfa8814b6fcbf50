import { HoldfastError } from '@holdfast/client';
import { signal } from '@preact/signals';
import { attempt } from './client.ts';
import { ask } from './server.ts';

/** A device of the user's, as the server lists it. */
export interface Device {
  /** UUID. */
  readonly id: string;
  readonly name: string;
  readonly linkedAt: Date;
  /** null: it never reconciled. */
  readonly lastReconciledAt: Date | null;
}

/** The user's devices, the one last seen first; or why they are not known. */
export type Listing = readonly Device[] | 'not asked' | 'out of reach' | 'session over';

export const devices = signal<Listing>('not asked');

/** Only the newest question's answer counts. */
let asked = 0;

/** Brings {@link devices} up to date. Never rejects. A list that is shown stays while another one cannot be had. */
export async function listDevices(): Promise<void> {
  const question = ++asked;
  const listing = await ask('GET', '/v1/devices').then(read, why);
  if (question !== asked) return;
  if (listing === 'out of reach' && Array.isArray(devices.peek())) return;
  devices.value = listing;
}

/** Forgets the list: the next one to see the page may be another user. */
export function forgetDevices(): void {
  asked++;
  devices.value = 'not asked';
}

/** Takes another device out of the account: at its next contact premium ends there. */
export function unlinkDevice({ id, name }: Device): Promise<boolean> {
  return attempt('unlink', async () => {
    // Gone already is as good as unlinked.
    await ask('DELETE', `/v1/devices/${encodeURIComponent(id)}`).catch((error: unknown) => {
      if (!(error instanceof HoldfastError) || error.code !== 'not_found') throw error;
    });
    await listDevices();
    return { good: true, text: `${name} is unlinked.` };
  });
}

function read(answer: unknown): Listing {
  const list = (answer as { devices?: unknown } | null)?.devices;
  if (!Array.isArray(list)) return 'out of reach';
  const seen = ({ lastReconciledAt, linkedAt }: Device) => (lastReconciledAt ?? linkedAt).getTime();
  return list
    .map(
      (each): Device => ({
        id: String(each?.id),
        name: String(each?.name),
        linkedAt: new Date(each?.linked_at),
        lastReconciledAt: each?.last_reconciled_at ? new Date(each.last_reconciled_at) : null,
      }),
    )
    .sort((a, b) => seen(b) - seen(a));
}

function why(error: unknown): Listing {
  return error instanceof HoldfastError && error.code === 'unauthenticated' ? 'session over' : 'out of reach';
}
