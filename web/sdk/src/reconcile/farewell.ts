import { HoldfastError } from '../base/error.ts';
import type { Context } from '../state/context.ts';

/**
 * The outcome of telling the server of a sign-out. `said`: nothing is left to send. `later`: the user's next session must
 * unlink the device. `unheard`: the server was not reached, and the session may live on.
 */
export type FarewellOutcome = 'said' | 'later' | 'unheard';

/** While nobody is signed in, the cookie still names the session to end; later, only its device is left to unlink. */
export async function sayFarewell({ store, server }: Context): Promise<FarewellOutcome> {
  const { farewell, user } = await store.read();
  if (!farewell) return 'said';
  const { sessionEnded } = farewell;
  const device = farewell.device ?? null;
  if (sessionEnded) return 'later';
  try {
    if (!user) await server.request('DELETE', '/v1/session', device === null ? {} : { device });
    else if (device !== null) await server.request('DELETE', `/v1/devices/${device}`);
  } catch (error) {
    if (!(error instanceof HoldfastError)) throw error;
    // The device cookie is not this device's, and the last sign-in is not recent: sign out without unlinking.
    const leave = error.code === 'reauthentication_required' && !user;
    if (leave && (await server.request('DELETE', '/v1/session').catch(() => null)) === null) return 'unheard';
    if ((leave || error.code === 'unauthenticated') && device !== null) {
      await store.update((held) => (held.farewell ? { farewell: { ...held.farewell, sessionEnded: true } } : null));
      return 'later';
    }
    // A session or device that is already gone counts as ended.
    if (error.code !== 'unauthenticated' && error.code !== 'not_found') return user ? 'later' : 'unheard';
  }
  await store.update((held) => ((held.farewell?.device ?? null) === device ? { farewell: undefined } : null));
  return 'said';
}
