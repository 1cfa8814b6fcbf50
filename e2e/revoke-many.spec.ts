import { Console } from './support/console.ts';
import { look, phone } from './support/looks.ts';
import { Server } from './support/server.ts';
import { expect, test, watch } from './support/test.ts';

test.use({ viewport: phone });

test('support revokes many at once, over a reload, and undoes it', async ({ page }, info) => {
  test.slow();
  const server = await Server.launch();
  const troubles = await watch(page.context(), page);
  const support = new Console(page, server);
  await support.join('Grace', 'support');
  const put = (id: string, user: string) =>
    server.admin('PUT', `subscriptions/${id}`, {
      user,
      plan: 'premium',
      state: 'active',
      paid_through: '2099-01-01T00:00:00Z',
    });
  const ids: string[] = [];
  for (let n = 1; n <= 20; n++) {
    const user = await support.customer(`Customer ${n}`, `crm-${n}`);
    await put(`sub-${n}`, user);
    ids.push([user, `crm-${n}`, `sub-${n}`][n % 3] ?? '');
  }
  const twice = await support.customer('Twice', 'crm-twice');
  await put('twice-1', twice);
  await put('twice-2', twice);
  await put('gone', await support.customer('Gone', 'crm-gone'));
  await server.admin('POST', 'subscriptions/gone/revoke', { reason: 'a test' });
  await support.customer('Free', 'crm-free');

  await support.to('Customers');
  await page.getByRole('link', { name: 'Revoke many' }).click();
  await expect(page.getByRole('heading', { level: 1, name: 'Revoke many' })).toBeVisible();
  await look(page, info, 'many-empty');
  await page
    .getByLabel('Ids of customers or subscriptions')
    .fill([...ids, 'crm-twice', 'crm-gone', 'crm-free', 'nobody', ids[0]].join('\n'));
  await page.getByRole('button', { name: 'Look up' }).click();
  await expect(page.getByText('22 subscriptions of 21 customers. Ends everywhere at once')).toBeVisible();
  const left = page.getByRole('list', { name: 'Left out' }).getByRole('listitem');
  await expect(left).toHaveText([/Gone.*revoked already/, /Free.*nothing to revoke/, /nobody.*no customer/]);
  await look(page, info, 'many-preview');
  await page.getByRole('button', { name: 'Revoke 22 subscriptions…' }).click();
  await expect(support.dialog).toBeVisible();
  await look(page, info, 'many-confirm');

  const progress = page.locator('.promise[role=status]');
  // The answer to the eighth is lost with the page.
  let revokes = 0;
  await page.route('**/revoke', async (route) => {
    if (++revokes < 8) return route.continue();
    await route.fetch();
  });
  await support.answer('Revoke now', 'Chargeback, ticket 4711');
  await expect(progress).toHaveText('7 of 22 revoked.');
  await expect.poll(() => revokes).toBe(8);
  await page.reload();
  await page.unroute('**/revoke');
  await expect(progress).toHaveText(/^7 of 22 revoked\./);
  await look(page, info, 'many-stopped');

  // Whoever works long enough is asked for the passkey in the middle.
  await support.age('Grace', '1 hour');
  await page.getByRole('button', { name: 'Go on with 15' }).click();
  await support.confirmation.getByRole('button', { name: 'Continue with a passkey' }).click();
  await expect(progress).toHaveText('22 of 22 revoked.');
  await look(page, info, 'many-done');
  /** The objects of an action in the trail, without the preparation above. */
  const trail = async (action: string) => {
    const { entries } = await server.admin<{ entries: { object: string; reason: string }[] }>(
      'GET',
      `audit?action=${action}&limit=100`,
    );
    const own = entries.filter(({ reason }) => reason !== 'a test').map(({ object }) => object);
    return `${own.length} of ${new Set(own).size}`;
  };
  expect(await trail('subscription.revoke')).toBe('22 of 22');

  await page.getByRole('button', { name: 'Undo…' }).click();
  await support.answer('Reinstate now', 'Revoked by mistake');
  await expect(progress).toHaveText('22 of 22 reinstated.');
  expect(await trail('subscription.reinstate')).toBe('22 of 22');
  await support.to('Customers');
  await support.open('crm-gone');
  await expect(support.card('holdings')).toContainText('revoked');
  await support.open('crm-twice');
  await expect(support.card('holdings')).toContainText('Has paid features');
  expect(troubles()).toEqual([]);
});
