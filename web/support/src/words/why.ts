import type { Decision, Dispute, Features, JudgedSubscription, Plan, Subscription } from '@holdfast/api';
import { moment, stamp } from './time.ts';

/** Whether a dispute removes the subscription's features. */
export function withholds({ withholds }: Dispute): boolean {
  return withholds === 'for_now' || withholds === 'for_good';
}

/** The status of a dispute and its effect, in words. */
export function disputeWords({ status, withholds }: Dispute): string {
  return `${{ open: 'open', won: 'won', lost: 'lost' }[status]}; ${
    {
      nothing: 'it changes nothing',
      for_now: 'no features until it is decided',
      for_good: 'no features',
      waived: 'waived by support',
    }[withholds]
  }`;
}

/** Why a subscription grants its features, or nothing. */
export function because({ paid_through, state, disputes, worth }: JudgedSubscription, now: Date): string {
  const paid = new Date(paid_through);
  const end = new Date(worth.ends_at);
  const grace = end > paid;
  switch (worth.state) {
    case 'revoked':
      if (worth.reason !== 'disputed') {
        return `Support has ${worth.reason} it. Only reinstating it brings it back: a payment does not.`;
      }
      return disputes.some(({ withholds }) => withholds === 'for_good')
        ? 'A dispute about a payment was lost: the bank took the money back. Reinstating it waives the dispute.'
        : 'A payment is disputed. Its features come back when the dispute is won; reinstating it waives the dispute.';
    case 'active':
      return `${paidWords[state]} until ${moment(paid, now)}.${grace ? ` Grace then lasts until ${stamp(end)}.` : ''}`;
    case 'grace':
      return state === 'past_due'
        ? `A payment is missing. Without it, it ends ${moment(end, now)}.`
        : `The paid time ended ${moment(paid, now)}; grace lasts until ${moment(end, now)}.`;
    case 'expired':
      return grace
        ? `The paid time ended ${stamp(paid)}, and its grace ${moment(end, now)}.`
        : `The paid time ended ${moment(paid, now)}.`;
  }
}

const paidWords = {
  trialing: 'A trial runs',
  active: 'Paid',
  past_due: 'Paid',
  cancelled: 'Cancelled, and does not renew: paid',
};

/** Billing's status, in words. */
export const billingWords: Readonly<Record<Subscription['state'], string>> = {
  trialing: 'trial',
  active: 'active',
  past_due: 'payment is missing',
  cancelled: 'cancelled, does not renew',
};

export interface Headline {
  readonly tone: 'good' | 'attention' | 'calm';
  readonly badge: string;
  readonly text: string;
}

/** The user's current rights, in one sentence. */
export function headline({ state, reason, since, paid_through }: Decision, now: Date): Headline {
  const paid = paid_through === null ? null : new Date(paid_through);
  const when = since ? `, ${moment(new Date(since), now)}` : '';
  switch (state) {
    case 'active':
      return {
        tone: 'good',
        badge: 'Active',
        text: `Has paid features${paid ? `, until ${moment(paid, now)}` : ''}.`,
      };
    case 'grace':
      return { tone: 'attention', badge: 'Grace', text: 'Still has paid features, but a payment is missing.' };
    case 'expired':
      return {
        tone: 'calm',
        badge: 'Over',
        text: `Has no paid features: the subscription is over${paid ? `, paid until ${moment(paid, now)}` : ''}.`,
      };
    case 'revoked':
      if (reason === 'disputed') {
        return {
          tone: 'attention',
          badge: 'Disputed',
          text: `Has no paid features: a payment is disputed${when}.`,
        };
      }
      return reason === 'suspended'
        ? {
            tone: 'attention',
            badge: 'Suspended',
            text: `Has no paid features: support has suspended the subscription${when}.`,
          }
        : {
            tone: 'attention',
            badge: 'Revoked',
            text: `Has no paid features: support has revoked the subscription${when}.`,
          };
    case 'none':
      return { tone: 'calm', badge: 'Free', text: 'Has no paid features: there was never a subscription.' };
  }
}

/** "notes without limit, export": the granted features, by name. */
export function featureWords(features: Features): string {
  const names = Object.keys(features).sort();
  if (names.length === 0) return 'none';
  return names
    .map((name) => {
      const { limit, offline } = features[name] ?? { offline: true };
      return `${name}${limit === undefined ? '' : ` up to ${limit.toLocaleString('en-GB')}`}${offline ? '' : ' (online only)'}`;
    })
    .join(', ');
}

export function planOf<P extends Plan>(plans: readonly P[], id: string): P | undefined {
  return plans.find((plan) => plan.id === id);
}
