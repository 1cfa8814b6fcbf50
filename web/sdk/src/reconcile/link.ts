import { encodeBase64url } from '../base/base64url.ts';
import { HoldfastError } from '../base/error.ts';
import { readLinkedDevices } from '../base/linked-device.ts';
import { generateDeviceKey, openDeviceKey } from '../server/device-key.ts';
import { type ProvenRequest, throwProblem } from '../server/server.ts';
import type { Context } from '../state/context.ts';
import type { PendingDevice, Store } from '../storage/store.ts';
import { deviceName } from './device-name.ts';
import type { LinkOptions } from './link-options.ts';

interface Try extends ProvenRequest {
  readonly pending: PendingDevice;
}

/**
 * Links this installation to the signed-in user under a new key. The key is stored before it is sent: if the answer is lost,
 * the next call sends the same key and the server returns the same device.
 */
export async function linkDevice(context: Context, { replaces }: LinkOptions = {}): Promise<void> {
  const { store, server } = context;
  const name = context.deviceName ?? deviceName(globalThis.navigator?.userAgent ?? '');
  const prepare = async (): Promise<Try> => {
    const pending = await pendingDevice(store);
    const body = { name, ...(replaces !== undefined && { replaces }) };
    return { key: await openDeviceKey(pending.pair), pending, body };
  };

  let proven = await server.prove('/v1/devices', prepare);
  if (proven?.answer.code === 'conflict') {
    // The server knows this key from a device whose lineage has advanced: only a new device can be linked.
    await forget(store, proven.sent.pending);
    proven = await server.prove('/v1/devices', prepare);
  }
  if (!proven) return;
  const { code, body } = proven.answer;
  if (code === 'device_limit') throw new HoldfastError(code, undefined, { devices: readLinkedDevices(body.devices) });
  throwProblem(proven.answer);

  const { device, lineage } = body;
  if (typeof device !== 'string' || typeof lineage !== 'string') throw new HoldfastError('no_contact');
  const { pending } = proven.sent;
  await store.update((held) =>
    held.pending?.id === pending.id
      ? {
          device: { id: device, pair: pending.pair },
          lineage,
          pending: undefined,
          // The old device's document stays valid until the new one has its own.
          former: held.document === undefined ? undefined : (held.former ?? held.device),
        }
      : null,
  );
}

/** The key of an unfinished attempt, or a new one as read back from storage. */
async function pendingDevice(store: Store): Promise<PendingDevice> {
  const { user, pending } = await store.read();
  if (!user) throw new HoldfastError('signed_out');
  if (pending?.user === user.id && (await isUsable(pending))) return pending;

  const id = encodeBase64url(crypto.getRandomValues(new Uint8Array(16)));
  const pair = await generateDeviceKey();
  await store
    .update((held) => (held.user?.id === user.id ? { pending: { id, user: user.id, pair } } : null))
    .catch((error: HoldfastError) => {
      // Some engines cannot clone keys into storage.
      const { cause } = error;
      const uncloneable = cause instanceof Error && cause.name === 'DataCloneError';
      throw uncloneable ? new HoldfastError('device_key_unavailable', undefined, { cause }) : error;
    });
  const stored = (await store.read()).pending;
  if (stored?.id !== id) throw new HoldfastError('signed_out', 'the user changed meanwhile');
  return stored;
}

async function isUsable({ pair }: PendingDevice): Promise<boolean> {
  return openDeviceKey(pair).then(
    () => true,
    () => false,
  );
}

async function forget(store: Store, { id }: PendingDevice): Promise<void> {
  await store.update((held) => (held.pending?.id === id ? { pending: undefined } : null));
}
