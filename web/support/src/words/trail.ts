import type { AuditEntry } from '@holdfast/api';
import { t } from '@holdfast/kit/words.ts';
import { stamp } from './time.ts';

/** The action in words; an unknown action stays readable. */
export function actionWords(action: string): string {
  const known = actions()[action];
  if (known) return known;
  const words = action.replaceAll(/[._]/g, ' ');
  return words.charAt(0).toUpperCase() + words.slice(1);
}

/** The known actions, by their code. */
export function actions(): Readonly<Record<string, string>> {
  return {
    'account.erased': t('Account deleted'),
    'account.recovered': t('Account recovered'),
    'device.forked': t('Device found copied; it has to be linked again'),
    'device.limit_reached': t('Device refused: the limit is reached'),
    'device.linked': t('Device linked'),
    'device.released': t('Place of a device freed'),
    'device.replaced': t('Device replaced'),
    'device.revoked': t('Device removed by support'),
    'device.unlinked': t('Device unlinked'),
    'gap.closed': t('Gap checked and closed'),
    'gap.found': t('Device knew more than the restored database'),
    'ledger.accepted': t('Refused acts let in'),
    'ledger.superseded': t('Acts superseded'),
    'lineage.recovered': t('An answer of the device was not remembered'),
    'note.deleted': t('Note deleted'),
    'note.written': t('Note written'),
    'passkey.added': t('Passkey added'),
    'passkey.rejected': t('Passkey refused'),
    'passkey.removed': t('Passkey deleted'),
    'plan.put': t('Plan changed'),
    'recovery_codes.created': t('Recovery codes made'),
    'recovery_link.created': t('Recovery link made'),
    'staff.invited': t('Staff member invited'),
    'staff.removed': t('Staff member removed'),
    'subscription.expiring': t('Paid time ends soon'),
    'subscription.grace': t('Grace began'),
    'subscription.grant': t('Days granted'),
    'subscription.put': t('Subscription changed'),
    'subscription.reinstate': t('Reinstated'),
    'subscription.revoke': t('Revoked'),
    'subscription.suspend': t('Suspended'),
    'subscription.trial': t('Trial started'),
    'token.created': t('API token made'),
    'token.revoked': t('API token revoked'),
    'user.created': t('Account prepared'),
    'user.external_id_changed': t('External id changed'),
    'user.signed_out': t('Signed out everywhere'),
    'webhook.resent': t('Webhook sent again'),
  };
}

/** The actor. `names` has every user and token that exists. */
export function actorWords(actor: string, user: string | null, names: ReadonlyMap<string, string>): string {
  const [kind = '', id = ''] = split(actor);
  const name = names.get(id);
  switch (kind) {
    case 'user':
      // Staff members also act as users: they make their own passkeys.
      return name ?? (id === user ? t('the customer') : t('a deleted account'));
    case 'staff':
      return name ?? t('staff {id}', { id: short(id) });
    case 'device':
      return t('the device itself');
    case 'token':
      return id === 'bootstrap' ? t('the first API token') : tokenWords(name ?? short(id));
    case 'billing':
      return t('billing ({id})', { id });
    case 'operator':
      return t('whoever runs the server');
    case 'server':
      return t('the server');
    default:
      return actor;
  }
}

export function tokenWords(name: string): string {
  return t('API token {name}', { name });
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
    const label = memberWords(name);
    // For a new object, empty members carry no information.
    if (before === null || before === undefined) return is[name] === false ? [] : [`${label}: ${to}`];
    return [`${label}: ${from} → ${to}`];
  });
}

function members(state: unknown): Readonly<Record<string, unknown>> {
  return typeof state === 'object' && state !== null && !Array.isArray(state) ? (state as Record<string, unknown>) : {};
}

function said(name: string, value: unknown): string {
  if (value === undefined || value === null) return t('none');
  if (value === true) return t('yes');
  if (value === false) return t('no');
  // The trail stores times as unix seconds.
  if (name === 'paid_through' && typeof value === 'number') return stamp(new Date(value * 1000));
  if (Array.isArray(value) && value.every((item) => typeof item === 'string')) return value.join(', ');
  return typeof value === 'object' ? JSON.stringify(value) : String(value);
}

function memberWords(name: string): string {
  const known: Readonly<Record<string, string>> = {
    plan: t('plan'),
    state: t('state'),
    paid_through: t('paid through'),
    ends: t('ends'),
    revoked: t('revoked'),
    suspended: t('suspended'),
    withheld: t('withheld'),
    features: t('features'),
    window: t('offline at most'),
    grace: t('grace'),
    device_limit: t('devices'),
    rank: t('rank'),
    name: t('name'),
    role: t('role'),
    scopes: t('scopes'),
  };
  return known[name] ?? name.replaceAll('_', ' ');
}

/** The kind of an object, with the id that follows it. */
export function kindWords(kind: string): string {
  const known: Readonly<Record<string, string>> = {
    user: t('user'),
    device: t('device'),
    passkey: t('passkey'),
    subscription: t('subscription'),
    plan: t('plan'),
    pack: t('pack'),
    note: t('note'),
    gap: t('gap'),
    staff: t('staff member'),
    token: t('token'),
    webhook: t('webhook'),
  };
  return known[kind] ?? kind;
}

function split(text: string): [string, string] {
  const colon = text.indexOf(':');
  return colon < 0 ? [text, ''] : [text.slice(0, colon), text.slice(colon + 1)];
}

/** A prefix of an id that distinguishes it from its neighbours. */
export function short(id: string): string {
  return id.length > 12 ? `${id.slice(0, 8)}…` : id;
}
