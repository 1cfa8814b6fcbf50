import { Fieldbook } from './support/fieldbook.ts';
import { look } from './support/looks.ts';
import { Server } from './support/server.ts';
import { expect, test, watch } from './support/test.ts';

const hour = 3_600_000;
const day = 24 * hour;

/** The app's wording for a moment today or yesterday, in the time zone of the tests. */
function clockTime(time: number): string {
  const options = { hour: '2-digit', minute: '2-digit', timeZone: 'Europe/Berlin' } as const;
  return new Intl.DateTimeFormat('en-GB', options).format(time);
}

test('a user who lost premium sees why, since when, and the remedy, also offline and after a reload', async ({
  page,
}, info) => {
  const server = await Server.launch(undefined, ['--help-url', 'https://help.example.org/premium']);
  try {
    const troubles = await watch(page.context(), page);
    const fieldbook = new Fieldbook(page, server.origin);
    await fieldbook.open();
    await fieldbook.createAccount('Ada');
    await fieldbook.write('Kept', '');
    await server.subscribe('Ada', 'premium', new Date(Date.now() + 10 * day));
    await fieldbook.toAccount();
    await fieldbook.expectPremium();
    await fieldbook.installed();
    const help = fieldbook.plan.getByRole('link', { name: 'Get help' });
    const inList = page.getByRole('region', { name: 'Notes' }).locator('.callout');
    await expect(help).toBeHidden();
    await expect(inList).toBeHidden();

    /** The page's required content: now, after a reload, and after one without the server. */
    const shown = async (headline: string, since: string, way: string) => {
      const check = async () => {
        await fieldbook.expectWithoutPremium(headline);
        await expect(fieldbook.plan).toContainText(since);
        await expect(fieldbook.plan).toContainText(way);
        await expect(help).toHaveAttribute('href', 'https://help.example.org/premium');
        // Help comes before all other actions.
        await expect(fieldbook.plan.locator('.actions').locator('a, button').first()).toHaveText('Get help');
      };
      await check();
      await page.reload();
      await check();
      await server.stop();
      await page.reload();
      await expect(fieldbook.line).toContainText(/^Premium (is paused|has ended):/);
      await check();
      await server.start();
    };

    await test.step('suspended', async () => {
      const asked = Date.now();
      await server.support('suspend', 'Ada');
      await fieldbook.expectWithoutPremium('Support has paused this subscription');
      const { subscriptions } = await server.user('Ada');
      const since = Date.parse(subscriptions[0]?.withdrawn_at ?? '');
      expect(Math.abs(since - asked)).toBeLessThan(60_000);
      await shown(
        'Support has paused this subscription',
        `It has been paused since today, ${clockTime(since)}.`,
        'premium comes back by itself',
      );
    });

    await test.step('revoked', async () => {
      await server.support('revoke', 'Ada');
      const { subscriptions } = await server.user('Ada');
      const since = Date.parse(subscriptions[0]?.withdrawn_at ?? '');
      await fieldbook.checkNow();
      await shown(
        'Support has ended this subscription',
        `It ended today, ${clockTime(since)}, and premium with it.`,
        'write to support',
      );
      await look(page, info, 'revoked');
      await expect(inList).toContainText('Support has ended this subscription');
      await expect(inList).toContainText(`It ended today, ${clockTime(since)}`);
      await expect(inList.getByRole('link').first()).toHaveText('Get help');
    });

    await test.step('reinstated: no explanation is left', async () => {
      await server.support('reinstate', 'Ada');
      await fieldbook.checkNow();
      await fieldbook.expectPremium();
      await expect(help).toBeHidden();
      await expect(inList).toBeHidden();
      await expect(fieldbook.plan).not.toContainText('ended');
    });

    await test.step('lapsed, with an ended session: the device’s key suffices', async () => {
      await page.context().clearCookies();
      // Grace is three days: it ended a day ago.
      const paid = Date.now() - 4 * day;
      await server.subscribe('Ada', 'premium', new Date(paid));
      await fieldbook.checkNow();
      await shown(
        'Your subscription is over',
        `and premium ended yesterday, ${clockTime(paid + 3 * day)}.`,
        'Renew the subscription',
      );
    });
    expect(troubles()).toEqual([]);
  } finally {
    await server.dispose();
  }
});
