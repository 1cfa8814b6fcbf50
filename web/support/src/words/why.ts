import type { Account, Decision, Dispute, Features, Plan, Subscription } from '../shapes.ts';
import { moment, utc } from './time.ts';

/** The worth of one subscription at a moment, by the server's rules: revoked, suspended and disputed come first, then time. */
export type Worth = 'grants' | 'grace' | 'over' | 'revoked' | 'suspended' | 'disputed';

export function worth(subscription: Subscription, plan: Plan | undefined, now: Date): Worth {
  const paid = Date.parse(subscription.paid_through);
  const end = paid + grace(subscription, plan);
  if (subscription.revoked) return 'revoked';
  if (subscription.suspended) return 'suspended';
  if (subscription.disputes.some(withholds)) return 'disputed';
  if (subscription.state !== 'past_due' && now.getTime() < paid) return 'grants';
  return now.getTime() < end ? 'grace' : 'over';
}

/** How long the features stay after the paid time, in milliseconds: none where no payment is awaited. */
function grace({ ends }: Subscription, plan: Plan | undefined): number {
  return ends ? 0 : (plan?.grace ?? 0) * 1000;
}

/** Whether a dispute takes the subscription's features. */
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

/** Why a subscription gives what it gives, or nothing. */
export function because(subscription: Subscription, plan: Plan | undefined, now: Date): string {
  const paid = new Date(subscription.paid_through);
  const end = new Date(paid.getTime() + grace(subscription, plan));
  const after = end > paid ? ` Grace then lasts until ${utc(end)}.` : '';
  switch (worth(subscription, plan, now)) {
    case 'revoked':
      return 'Support has revoked it. Only reinstating it brings it back: a payment does not.';
    case 'suspended':
      return 'Support has suspended it. Only reinstating it brings it back: a payment does not.';
    case 'disputed':
      return subscription.disputes.some((dispute) => dispute.withholds === 'for_good')
        ? 'A dispute about a payment was lost: the bank took the money back. Reinstating it waives the dispute.'
        : 'A payment is disputed. Its features come back when the dispute is won; reinstating it waives the dispute.';
    case 'grants':
      return `${paidWords[subscription.state]} until ${moment(paid, now)}.${after}`;
    case 'grace':
      return subscription.state === 'past_due'
        ? `A payment is missing. Without it, it ends ${moment(end, now)}.`
        : `The paid time ended ${moment(paid, now)}; grace lasts until ${moment(end, now)}.`;
    case 'over':
      return end.getTime() === paid.getTime()
        ? `The paid time ended ${moment(paid, now)}.`
        : `The paid time ended ${utc(paid)}, and its grace ${moment(end, now)}.`;
  }
}

const paidWords = {
  trialing: 'A trial runs',
  active: 'Paid',
  past_due: 'Paid',
  cancelled: 'Cancelled, and does not renew: paid',
};

/** What billing says, in words. */
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

/** What the user has now, in one sentence. */
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

/** "notes without limit, export": what is granted, by its names. */
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

/** The subscription that decides: the one that the server's words about the user are about. */
export function decisive({ subscriptions, plans }: Account, now: Date): string | undefined {
  const rank = (subscription: Subscription) => planOf(plans, subscription)?.rank ?? 0;
  const state = (subscription: Subscription) => order[worth(subscription, planOf(plans, subscription), now)];
  const [best] = [...subscriptions].sort(
    (a, b) =>
      state(a) - state(b) ||
      rank(b) - rank(a) ||
      compare(a.plan, b.plan) ||
      Date.parse(b.paid_through) - Date.parse(a.paid_through) ||
      compare(a.id, b.id),
  );
  return best?.id;
}

const order: Readonly<Record<Worth, number>> = { grants: 0, grace: 1, over: 2, revoked: 3, suspended: 3, disputed: 3 };

const compare = (a: string, b: string) => (a < b ? -1 : a > b ? 1 : 0);

/** What the user would keep if this one subscription gave nothing: by the names of features. */
export function kept({ subscriptions, plans }: Account, without: string, now: Date): string[] {
  const names = subscriptions
    .filter((each) => each.id !== without && ['grants', 'grace'].includes(worth(each, planOf(plans, each), now)))
    .flatMap((each) => Object.keys(planOf(plans, each)?.features ?? {}));
  return [...new Set(names)].sort();
}

export function planOf(plans: readonly Plan[], { plan }: Subscription): Plan | undefined {
  return plans.find(({ id }) => id === plan);
}
