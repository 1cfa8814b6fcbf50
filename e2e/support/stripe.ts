import { createHmac } from 'node:crypto';

const secret = 'whsec_browser_tests_0123456789abcdef';

/** The server settings for accepting events of `Stripe`. */
export const stripeFlags = ['--stripe-webhook-secret', secret, '--stripe-price', 'price_premium=premium'] as const;

/** Sends events of one subscription in Stripe's documented shape. */
export class Stripe {
  readonly #origin: string;
  readonly #user: string;
  #events = 0;

  constructor(origin: string, user: string) {
    this.#origin = origin;
    this.#user = user;
  }

  /** Sends an event with this status and period of the subscription. Returns the status of the answer. */
  async tell(type: 'created' | 'updated' | 'deleted', status: string, end: Date, key = secret): Promise<number> {
    const now = Math.floor(Date.now() / 1000);
    const period = { current_period_start: now - 60, current_period_end: Math.floor(end.getTime() / 1000) };
    const body = JSON.stringify({
      id: `evt_${++this.#events}`,
      object: 'event',
      api_version: '2026-03-25.dahlia',
      created: now,
      livemode: false,
      type: `customer.subscription.${type}`,
      data: {
        object: {
          id: 'sub_1',
          object: 'subscription',
          customer: 'cus_1',
          status,
          cancel_at: null,
          ended_at: status === 'canceled' ? now : null,
          trial_end: null,
          metadata: { holdfast_user: this.#user },
          items: {
            object: 'list',
            data: [
              { id: 'si_1', object: 'subscription_item', price: { id: 'price_premium', object: 'price' }, ...period },
            ],
          },
        },
      },
    });
    const signature = createHmac('sha256', key).update(`${now}.${body}`).digest('hex');
    const answer = await fetch(`${this.#origin}/v1/billing/stripe`, {
      method: 'POST',
      headers: {
        'Content-Type': 'application/json; charset=utf-8',
        'Stripe-Signature': `t=${now},v1=${signature}`,
      },
      body,
    });
    return answer.status;
  }
}
