import { Fieldbook } from './support/fieldbook.ts';
import { Server } from './support/server.ts';
import { Stripe, stripeFlags } from './support/stripe.ts';
import { expect, test, watch } from './support/test.ts';

test('a payment reaches the open page, and a revocation by support stays', async ({ page }) => {
  const server = await Server.launch(undefined, stripeFlags);
  try {
    const troubles = await watch(page.context(), page);
    const fieldbook = new Fieldbook(page, server.origin);
    await fieldbook.open();
    await fieldbook.createAccount('Ada');
    await fieldbook.write('Kept', '');
    await fieldbook.toAccount();
    await expect(fieldbook.export).toBeDisabled();
    const { user } = await server.user('Ada');
    const stripe = new Stripe(server.origin, user.id);
    const end = new Date(Date.now() + 30 * 86_400_000);
    let loads = 0;
    page.on('load', () => loads++);

    expect(await stripe.tell('created', 'active', end, 'whsec_somebody_else_0123456789')).toBe(401);
    await expect(fieldbook.export).toBeDisabled();
    expect(await stripe.tell('created', 'incomplete', end)).toBe(200); // the checkout continues
    expect(await stripe.tell('updated', 'active', end)).toBe(200);
    await fieldbook.expectPremium();

    await server.support('revoke', 'Ada');
    await fieldbook.expectWithoutPremium('Support has ended this subscription');
    expect(await stripe.tell('updated', 'active', new Date(end.getTime() + 30 * 86_400_000))).toBe(200);
    expect((await server.trail('Ada'))[0]).toBe('subscription.put'); // the event was processed after the revocation
    await fieldbook.checkNow();
    await fieldbook.expectWithoutPremium('Support has ended this subscription');
    await server.support('reinstate', 'Ada');
    await fieldbook.expectPremium();
    expect(loads).toBe(0);
    expect(troubles()).toEqual([]);
  } finally {
    await server.dispose();
  }
});
