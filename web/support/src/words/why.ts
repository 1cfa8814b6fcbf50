import type { Decision, Dispute, Features, JudgedSubscription, Plan, Subscription } from '@holdfast/api';
import { thousands } from '@holdfast/kit/when.ts';
import { sentences, t } from '@holdfast/kit/words.ts';
import { moment, stamp } from './time.ts';

/** Whether a dispute removes the subscription's features. */
export function withholds({ withholds }: Dispute): boolean {
  return withholds === 'for_now' || withholds === 'for_good';
}

/** The status of a dispute and its effect, in words. */
export function disputeWords({ status, withholds }: Dispute): string {
  const so = { open: t('open'), won: t('won'), lost: t('lost') }[status];
  const effect = {
    nothing: t('it changes nothing'),
    for_now: t('no features until it is decided'),
    for_good: t('no features'),
    waived: t('waived by support'),
  }[withholds];
  return `${so}; ${effect}`;
}

/** Why a subscription grants its features, or nothing. */
export function because({ paid_through, state, disputes, worth }: JudgedSubscription, now: Date): string {
  const paid = new Date(paid_through);
  const end = new Date(worth.ends_at);
  const grace = end > paid;
  switch (worth.state) {
    case 'revoked':
      if (worth.reason === 'suspended') {
        return t('Support has suspended it. Only reinstating it brings it back: a payment does not.');
      }
      if (worth.reason !== 'disputed') {
        return t('Support has revoked it. Only reinstating it brings it back: a payment does not.');
      }
      return disputes.some(({ withholds }) => withholds === 'for_good')
        ? t('A dispute about a payment was lost: the bank took the money back. Reinstating it waives the dispute.')
        : t(
            'A payment is disputed. Its features come back when the dispute is won; reinstating it waives the dispute.',
          );
    case 'active':
      return sentences(
        runs(state, moment(paid, now)),
        grace && t('Grace then lasts until {end}.', { end: stamp(end) }),
      );
    case 'grace':
      return state === 'past_due'
        ? t('A payment is missing. Without it, it ends {end}.', { end: moment(end, now) })
        : t('The paid time ended {paid}; grace lasts until {end}.', { paid: moment(paid, now), end: moment(end, now) });
    case 'expired':
      return grace
        ? t('The paid time ended {paid}, and its grace {end}.', { paid: stamp(paid), end: moment(end, now) })
        : t('The paid time ended {paid}.', { paid: moment(paid, now) });
  }
}

function runs(state: Subscription['state'], until: string): string {
  switch (state) {
    case 'trialing':
      return t('A trial runs until {until}.', { until });
    case 'cancelled':
      return t('Cancelled, and does not renew: paid until {until}.', { until });
    default:
      return t('Paid until {until}.', { until });
  }
}

/** Billing's status, in words. */
export function billingWords(state: Subscription['state']): string {
  return {
    trialing: t('trial'),
    active: t('active'),
    past_due: t('payment is missing'),
    cancelled: t('cancelled, does not renew'),
  }[state];
}

export interface Headline {
  readonly tone: 'good' | 'attention' | 'calm';
  readonly badge: string;
  readonly text: string;
}

/** The user's current rights, in one sentence. */
export function headline({ state, reason, since, paid_through }: Decision, now: Date): Headline {
  const until = paid_through === null ? null : moment(new Date(paid_through), now);
  const when = since ? moment(new Date(since), now) : null;
  switch (state) {
    case 'active':
      return {
        tone: 'good',
        badge: t('Active'),
        text: until ? t('Has paid features, until {until}.', { until }) : t('Has paid features.'),
      };
    case 'grace':
      return { tone: 'attention', badge: t('Grace'), text: t('Still has paid features, but a payment is missing.') };
    case 'expired':
      return {
        tone: 'calm',
        badge: t('Over'),
        text: until
          ? t('Has no paid features: the subscription is over, paid until {until}.', { until })
          : t('Has no paid features: the subscription is over.'),
      };
    case 'revoked':
      return { tone: 'attention', ...withheld(reason, when) };
    case 'none':
      return { tone: 'calm', badge: t('Free'), text: t('Has no paid features: there was never a subscription.') };
  }
}

function withheld(reason: Decision['reason'], when: string | null): Pick<Headline, 'badge' | 'text'> {
  switch (reason) {
    case 'disputed':
      return {
        badge: t('Disputed'),
        text: when
          ? t('Has no paid features: a payment is disputed, {when}.', { when })
          : t('Has no paid features: a payment is disputed.'),
      };
    case 'suspended':
      return {
        badge: t('Suspended'),
        text: when
          ? t('Has no paid features: support has suspended the subscription, {when}.', { when })
          : t('Has no paid features: support has suspended the subscription.'),
      };
    default:
      return {
        badge: t('Revoked'),
        text: when
          ? t('Has no paid features: support has revoked the subscription, {when}.', { when })
          : t('Has no paid features: support has revoked the subscription.'),
      };
  }
}

/** "notes up to 5,000, export": the granted features, by name. */
export function featureWords(features: Features): string {
  const names = Object.keys(features).sort();
  if (names.length === 0) return t('none');
  return names
    .map((name) => {
      const { limit, offline } = features[name] ?? { offline: true };
      const what = limit === undefined ? name : t('{name} up to {limit}', { name, limit: thousands(limit) });
      return offline ? what : t('{feature} (online only)', { feature: what });
    })
    .join(', ');
}

export function planOf<P extends Plan>(plans: readonly P[], id: string): P | undefined {
  return plans.find((plan) => plan.id === id);
}
