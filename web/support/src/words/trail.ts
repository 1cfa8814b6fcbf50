import type { AuditEntry } from '@holdfast/api';
import { stamp } from './time.ts';

/** The action in words; an unknown action stays readable. */
export function actionWords(action: string): string {
  const known = actions[action];
  if (known) return known;
  const words = action.replaceAll(/[._]/g, ' ');
  return words.charAt(0).toUpperCase() + words.slice(1);
}

export const actions: Readonly<Record<string, string>> = {
  'account.erased': 'Account deleted',
  'account.recovered': 'Account recovered',
  'device.forked': 'Device found copied; it has to be linked again',
  'device.limit_reached': 'Device refused: the limit is reached',
  'device.linked': 'Device linked',
  'device.released': "Device's place freed",
  'device.replaced': 'Device replaced',
  'device.revoked': 'Device removed by support',
  'device.unlinked': 'Device unlinked',
  'gap.closed': 'Gap checked and closed',
  'gap.found': 'Device knew more than the restored database',
  'ledger.accepted': 'Refused acts let in',
  'ledger.superseded': 'Acts superseded',
  'lineage.recovered': 'An answer of the device was not remembered',
  'note.deleted': 'Note deleted',
  'note.written': 'Note written',
  'passkey.added': 'Passkey added',
  'passkey.rejected': 'Passkey refused',
  'passkey.removed': 'Passkey deleted',
  'plan.put': 'Plan changed',
  'recovery_codes.created': 'Recovery codes made',
  'recovery_link.created': 'Recovery link made',
  'staff.invited': 'Staff member invited',
  'staff.removed': 'Staff member removed',
  'subscription.expiring': 'Paid time ends soon',
  'subscription.grace': 'Grace began',
  'subscription.grant': 'Days granted',
  'subscription.put': 'Subscription changed',
  'subscription.reinstate': 'Reinstated',
  'subscription.revoke': 'Revoked',
  'subscription.suspend': 'Suspended',
  'subscription.trial': 'Trial started',
  'token.created': 'API token made',
  'token.revoked': 'API token revoked',
  'user.created': 'Account prepared',
  'user.external_id_changed': 'External id changed',
  'user.signed_out': 'Signed out everywhere',
  'webhook.resent': 'Webhook sent again',
};

/** The actor. `names` has every user and token that exists. */
export function actorWords(actor: string, user: string | null, names: ReadonlyMap<string, string>): string {
  const [kind = '', id = ''] = split(actor);
  const name = names.get(id);
  switch (kind) {
    case 'user':
      // Staff members also act as users: they make their own passkeys.
      return name ?? (id === user ? 'the customer' : 'a deleted account');
    case 'staff':
      return name ?? `staff ${short(id)}`;
    case 'device':
      return 'the device itself';
    case 'token':
      return id === 'bootstrap' ? 'the first API token' : `API token ${name ?? short(id)}`;
    case 'billing':
      return `billing (${id})`;
    case 'operator':
      return 'whoever runs the server';
    default:
      return actor;
  }
}

/** The object: kind and id; null if it is the user whose trail this is. */
export function objectOf({ object, user }: AuditEntry): { kind: string; id: string } | null {
  const [kind = '', id = ''] = split(object);
  return kind === 'user' && id === user ? null : { kind, id };
}

/** The changed members with old and new values: "paid through: 3 Dec 2026, 14:00 UTC → 10 Dec 2026, 14:00 UTC". */
export function changes({ before, after }: Pick<AuditEntry, 'before' | 'after'>): string[] {
  const [was, is] = [members(before), members(after)];
  return [...new Set([...Object.keys(was), ...Object.keys(is)])].flatMap((name) => {
    const [from, to] = [said(name, was[name]), said(name, is[name])];
    if (from === to) return [];
    const label = name.replaceAll('_', ' ');
    // For a new object, empty members carry no information.
    if (before === null || before === undefined) return is[name] === false ? [] : [`${label}: ${to}`];
    return [`${label}: ${from} → ${to}`];
  });
}

function members(state: unknown): Readonly<Record<string, unknown>> {
  return typeof state === 'object' && state !== null && !Array.isArray(state) ? (state as Record<string, unknown>) : {};
}

function said(name: string, value: unknown): string {
  if (value === undefined || value === null) return 'none';
  if (value === true) return 'yes';
  if (value === false) return 'no';
  // The trail stores times as unix seconds.
  if (name === 'paid_through' && typeof value === 'number') return stamp(new Date(value * 1000));
  if (Array.isArray(value) && value.every((item) => typeof item === 'string')) return value.join(', ');
  return typeof value === 'object' ? JSON.stringify(value) : String(value);
}

function split(text: string): [string, string] {
  const colon = text.indexOf(':');
  return colon < 0 ? [text, ''] : [text.slice(0, colon), text.slice(colon + 1)];
}

/** A prefix of an id that distinguishes it from its neighbours. */
export function short(id: string): string {
  return id.length > 12 ? `${id.slice(0, 8)}…` : id;
}
