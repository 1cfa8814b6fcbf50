import type { Holder, Revocation } from '@holdfast/api';
import { t } from '@holdfast/kit/words.ts';
import { atLatest, relative } from './time.ts';

/** The effect of a revoke on a device: it has been told, its document has ended, or it may still use it. */
export type Progress = 'told' | 'ended' | 'live';

/** `revision` is the revoke's: documents from that revision on do not grant what was revoked. */
export function progress(device: Holder, revision: number, now: Date): Progress {
  if (device.document_revision !== null && device.document_revision >= revision) return 'told';
  return live(device, now) ? 'live' : 'ended';
}

/** Whether the device may hold a document that works offline. */
export function live(device: Holder, now: Date): boolean {
  return end(device) > now.getTime();
}

/** The current devices of a revoke: the server lists only those whose documents have not ended. */
export function follow(known: readonly Holder[], { devices }: Revocation): Holder[] {
  const gone = known.filter(({ id }) => !devices.some((device) => device.id === id));
  return [...devices, ...gone];
}

/** The end of the last document that any device may hold; null: none left. */
export function deadline(devices: readonly Holder[], now: Date): Date | null {
  const last = Math.max(...devices.map(end));
  return last > now.getTime() ? new Date(last) : null;
}

/** A device with contact this recent is probably online, and is told at once if the app is open there. */
const lately = 15 * 60_000;

/** The words for a revoke or suspension and its end on devices. */
export type Withdrawal = 'revoke' | 'suspend';

/**
 * Before the change: by when the features end everywhere, and which devices are told now. Support may tell the customer so.
 */
export function promise(how: Withdrawal, devices: readonly Holder[], now: Date): string {
  const until = deadline(devices, now);
  if (!until) {
    return how === 'revoke'
      ? t('Ends everywhere at once: no device holds a document that works offline.')
      : t('Paused everywhere at once: no device holds a document that works offline.');
  }
  const holders = devices.filter((device) => live(device, now));
  const online = holders.filter((device) => now.getTime() - contact(device) <= lately).length;
  const by = latest(how, until, now);
  if (holders.length === 1) {
    return online === 1
      ? t('{by}; its one device should hear of it now.', { by })
      : t('{by}; its one device was not in contact lately.', { by });
  }
  if (online === 0) return t('{by}; none of {devices} devices was in contact lately.', { by, devices: holders.length });
  return t('{by}; {online} of {devices} devices should hear of it now.', { by, online, devices: holders.length });
}

/** The progress after the change. An answer to a device may have been lost, so only the last end is certain. */
export function standing(how: Withdrawal, devices: readonly Holder[], revision: number, now: Date): string {
  const until = deadline(devices, now);
  if (!until) {
    return how === 'revoke'
      ? t('Ended everywhere: no device can use it any more.')
      : t('Paused everywhere: no device can use it any more.');
  }
  const told = devices.filter((device) => progress(device, revision, now) === 'told').length;
  return `${latest(how, until, now)}; ${toldOf(told, devices.length)}.`;
}

function latest(how: Withdrawal, until: Date, now: Date): string {
  const values = { latest: atLatest(until, now), relative: relative(until, now) };
  return how === 'revoke'
    ? t('Ends everywhere by {latest} at the latest ({relative})', values)
    : t('Paused everywhere by {latest} at the latest ({relative})', values);
}

/** How many of the devices have been told. */
export function toldOf(told: number, devices: number): string {
  if (devices === 1) {
    return told === 1 ? t('its one device has been told') : t('its one device has not been told yet');
  }
  if (told === devices) return t('all {told} devices have been told', { told });
  return t('{told, plural, one {# of {devices} devices has} other {# of {devices} devices have}} been told', {
    told,
    devices,
  });
}

function end({ document_expires_at }: Holder): number {
  return document_expires_at === null ? Number.NEGATIVE_INFINITY : Date.parse(document_expires_at);
}

function contact({ last_reconciled_at }: Holder): number {
  return last_reconciled_at === null ? Number.NEGATIVE_INFINITY : Date.parse(last_reconciled_at);
}
