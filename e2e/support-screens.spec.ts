import { Console } from './support/console.ts';
import { Fieldbook } from './support/fieldbook.ts';
import { look, phone } from './support/looks.ts';
import { Server } from './support/server.ts';
import { expect, test, watch } from './support/test.ts';

test.describe('on a phone', () => {
  test.use({ viewport: phone });

  test('every screen of the console passes accessibility checks', async ({ page, elsewhere }, info) => {
    test.slow();
    // An address without a listener.
    const hook = ['--webhook-url', 'http://localhost:1/hook', '--webhook-secret', `whsec_${btoa('0'.repeat(32))}`];
    const server = await Server.launch(undefined, hook);
    const troubles = await watch(page.context(), page);
    const support = new Console(page, server);
    const shoot = (name: string) => look(page, info, name);

    await page.goto(`${server.origin}/support`);
    await expect(page.getByRole('button', { name: 'Sign in with a passkey' })).toBeVisible();
    await shoot('sign-in');
    await page.goto(`${server.origin}/support#recover=AAAA`);
    await expect(page.getByRole('button', { name: 'Create passkey' })).toBeVisible();
    await shoot('landing');
    await support.join('Grace Hopper', 'admin');
    await support.to('Overview');
    await expect(page.getByText('No customers yet.')).toBeVisible();
    await shoot('overview-empty');
    await support.to('Customers');
    await shoot('search');

    const customer = new Fieldbook(elsewhere, server.origin);
    await customer.open();
    await customer.createAccount('Ada Lovelace, of the long name that goes on');
    await customer.write('First note', 'It works.');
    await customer.startTrial();
    await support.search.fill('nobody');
    await expect(page.getByText('No customer matches')).toBeVisible();
    await shoot('search-nobody');
    await support.search.fill('Ada');
    await expect(support.found).toHaveCount(1);
    await shoot('search-found');
    await page.getByRole('button', { name: 'New customer' }).click();
    await expect(support.dialog).toBeVisible();
    await shoot('new-customer');
    await page.keyboard.press('Escape');

    await support.open('Ada');
    await expect(page.getByText('Trial started')).toBeVisible();
    await support.card('notes-about').getByLabel('New note').fill('Prefers letters, in the morning.');
    await support.card('notes-about').getByRole('button', { name: 'Write note' }).click();
    await expect(support.card('notes-about').getByRole('listitem')).toHaveCount(1);
    await shoot('user');
    await support.card('access').scrollIntoViewIfNeeded();
    await shoot('user-access');
    for (const [button, name] of [
      ['Revoke…', 'revoke'],
      ['Suspend…', 'suspend'],
      ['Grant days…', 'grant'],
      ['Remove Chrome', 'remove-device'],
      ['Recovery link…', 'recovery'],
      ['Sign out everywhere…', 'sign-out'],
    ] as const) {
      await page.getByRole('button', { name: button }).click();
      await expect(support.dialog.getByRole('textbox', { name: 'Reason' })).toBeVisible();
      await expect(support.dialog.getByText('One moment…')).toBeHidden();
      await shoot(`dialog-${name}`);
      await page.keyboard.press('Escape');
      await expect(support.dialog).toBeHidden();
    }
    await page.getByRole('button', { name: 'Revoke…' }).click();
    await support.answer('Revoke now', 'Chargeback, ticket 4711');
    await expect(support.toast).toContainText('Revoked premium');
    await expect(support.subscription.getByText('Told', { exact: true })).toBeVisible();
    await shoot('revoked');
    await support.subscription.scrollIntoViewIfNeeded();
    await page.getByRole('button', { name: 'Recovery link…' }).click();
    await support.answer('Make the link', 'Lost phone; called back');
    await expect(support.dialog.getByRole('button', { name: 'Copy link' })).toBeVisible();
    await support.dialog.getByRole('button', { name: 'Show as QR code' }).click();
    await expect(support.dialog.getByRole('img', { name: 'The link as a QR code' })).toBeVisible();
    await shoot('link');
    await page.keyboard.press('Escape'); // which would discard the link that is shown only once
    await support.dialog.getByRole('button', { name: 'Done' }).click();
    await support.age('Grace Hopper', '1 hour');
    await page.getByRole('button', { name: 'Reinstate…' }).click();
    await support.answer('Reinstate now', 'Paid after all');
    await expect(support.confirmation).toBeVisible();
    await shoot('step-up');
    await support.confirmation.getByRole('button', { name: 'Continue with a passkey' }).click();
    await expect(support.toast).toContainText('Reinstated premium');
    await support.card('trail').scrollIntoViewIfNeeded();
    await shoot('user-trail');
    await server.postgres.run(
      `INSERT INTO ledger_entries (user_id, device_id, seq, hash, entry, verdict, reason, position, received_at)
         SELECT d.user_id, d.id, n, sha256(e), e, CASE n WHEN 1 THEN 'accepted' ELSE 'rejected' END, CASE n WHEN 1 THEN '' ELSE 'revoked' END,
           CASE n WHEN 1 THEN 1 END, now()
         FROM devices d, generate_series(1, 3) AS n, LATERAL (SELECT convert_to(format(
           '{"seq":%s,"prev":"${'A'.repeat(43)}","at":1,"feature":"notes","document":"AAAA","action":"note.save","payload":{"text":"Bern"}}', n),
           'UTF8')) AS entry (e)`,
    );
    await server.postgres.run('UPDATE users SET actions = 1 WHERE id IN (SELECT user_id FROM ledger_entries)');
    await page.reload();
    const acts = support.card('acts');
    await expect(acts.getByRole('listitem')).toHaveCount(3);
    await acts.getByText('What it says').first().click();
    await acts.scrollIntoViewIfNeeded();
    await shoot('user-acts');
    await acts.getByRole('button', { name: 'Accept 2 refused acts…' }).click();
    await expect(support.dialog).toBeVisible();
    await shoot('dialog-accept-acts');
    await support.answer('Accept', 'Checked with the customer');
    await expect(support.toast).toContainText('2 acts of Ada Lovelace, of the long name that goes on accepted.');
    await acts.getByLabel('Only refused').check();
    await expect(acts.getByText('None was refused.')).toBeVisible();
    await acts.getByLabel('Only refused').uncheck();
    await acts.getByRole('button', { name: 'Take back note.save number 1' }).click();
    await support.answer('Take back', 'Abuse');
    await expect(acts.getByText('Taken back by support or the host.')).toBeVisible();

    await support.to('Plans');
    await expect(page.getByRole('button', { name: 'Edit premium' })).toBeVisible();
    await shoot('plans');
    await page.getByRole('button', { name: 'Edit premium' }).click();
    await support.dialog
      .getByRole('button', { name: /^Remove / })
      .first()
      .click();
    await shoot('plan-edit');
    await page.keyboard.press('Escape');
    await support.to('Audit');
    const entries = page.getByRole('region', { name: 'Audit trail' }).getByRole('listitem');
    await expect(entries.filter({ hasText: 'Reinstated by Grace Hopper, for Ada Lovelace' })).toHaveCount(1);
    await shoot('audit');
    await page.getByLabel('Who').selectOption('Grace Hopper');
    await page.getByLabel('What').selectOption('Revoked');
    await expect(entries).toHaveCount(1);
    await expect(entries).toContainText('Chargeback, ticket 4711');
    await page.getByLabel('From').fill('2099-01-01');
    await expect(page.getByText('No entry matches.')).toBeVisible();
    await page.getByLabel('From').fill('');
    await page.getByLabel('Customer').fill('Ada');
    await expect(page.getByText('Paste the whole id')).toBeVisible();
    await shoot('audit-filtered');
    await support.to('Staff');
    await expect(page.getByText('you', { exact: true })).toBeVisible();
    await shoot('staff');
    await page.getByRole('button', { name: 'Invite…' }).click();
    await shoot('staff-invite');
    await page.keyboard.press('Escape');
    await support.to('Webhooks');
    await expect(page.getByRole('list', { name: 'Deliveries' }).getByRole('listitem')).toHaveCount(6);
    await expect(
      page.getByRole('list', { name: 'Deliveries' }).getByRole('link', { name: 'Ada Lovelace' }),
    ).toHaveCount(6);
    await server.postgres.run(
      `UPDATE webhook_deliveries SET state = 'dead', attempts = 9 WHERE type = 'subscription.revoked'`,
    );
    await page.getByLabel('Show').selectOption('given up');
    await page.getByRole('button', { name: 'Send again: subscription.revoked' }).click();
    await expect(support.dialog).toBeVisible();
    await shoot('webhook-resend');
    await page.keyboard.press('Escape');
    await page.getByLabel('Show').selectOption('delivered');
    await expect(page.getByText('None is delivered.')).toBeVisible();
    await page.getByLabel('Show').selectOption('all');
    await server.postgres.run(
      `UPDATE webhook_deliveries SET state = 'delivered', delivered_at = now() WHERE id = (SELECT id FROM webhook_deliveries WHERE state = 'pending' LIMIT 1)`,
    );
    await page.reload();
    // Sent again is what was given up; a receiver that has it needs it no more.
    await expect(page.locator('.badge', { hasText: 'delivered' })).toBeVisible();
    await expect(page.getByRole('button', { name: /^Send again/ })).toHaveCount(1);
    await shoot('webhooks');
    await support.to('Gaps');
    await expect(page.getByText('None is open')).toBeVisible();
    await shoot('gaps-none');
    await server.postgres.run(
      `INSERT INTO audit (at, actor, action, object, user_id, before, after)
         SELECT now(), 'device:' || id, 'gap.found', 'device:' || id, user_id,
           '{"generation": 1, "revision": 3}', '{"generation": 2, "revision": 5}' FROM devices`,
    );
    await page.reload();
    await page.getByRole('button', { name: 'Close the gap' }).click();
    await expect(support.dialog).toBeVisible();
    await shoot('gap-close');
    await page.keyboard.press('Escape');
    await shoot('gaps');

    // The longest and the emptiest values.
    await server.postgres.run(
      `INSERT INTO users (id, name, words, parts, external_id, created_at)
         VALUES (gen_random_uuid(), '${'Wolfeschlegelsteinhausen'.repeat(4)}', '{wolfe}', '{wolfe}', '${'0123456789'.repeat(20)}', now()),
           (gen_random_uuid(), 'Zoe', '{zoe}', '{zoe}', NULL, now())`,
    );
    await server.postgres.run(
      `INSERT INTO directory (kind, key, user_id) SELECT 'external id', external_id, id FROM users WHERE external_id LIKE '01234%'`,
    );
    for (const [id, plan] of [
      ['s'.repeat(128), { plan: 'premium', state: 'past_due', paid_through: '2026-01-01T00:00:00Z' }],
      ['short', { plan: 'premium', state: 'active', paid_through: '2099-01-01T00:00:00Z' }],
    ] as const) {
      await server.admin('PUT', `subscriptions/${id}`, { external_id: '0123456789'.repeat(20), ...plan });
    }
    await support.open('Wolfe');
    await shoot('user-extreme');
    await page.getByRole('button', { name: 'Revoke…' }).first().click();
    await expect(support.dialog.locator('.promise')).toBeVisible();
    await shoot('dialog-revoke-extreme');
    await page.keyboard.press('Escape');
    await support.open('Zoe');
    await expect(page.getByText('Nothing yet.')).toBeVisible();
    await shoot('user-empty');

    // A month of customers. The server counts again when its last count is 15 seconds old.
    await server.postgres.run(
      `WITH made AS (
         INSERT INTO users (id, name, created_at)
           SELECT gen_random_uuid(), 'Customer ' || n, now() - sqrt(n) * interval '20 hours' FROM generate_series(1, 1200) n RETURNING id, name, created_at
       ), numbered AS (SELECT *, substring(name FROM 10)::int AS n FROM made), subscribed AS (
         INSERT INTO subscriptions (id, user_id, plan, state, paid_through, revoked, withdrawn, created_at, updated_at)
           SELECT 'many-' || n, id, 'premium', 'active', now() + (n % 50 - 9) * interval '1 day', n % 23 = 0, n % 23 = 0, created_at, created_at FROM numbered WHERE n % 4 > 0
       ), linked AS (
         INSERT INTO devices (user_id, id, name, jkt, linked_at, last_reconciled_at, revision, document_bound, status_list, status_idx)
           SELECT id, id, 'Phone', name, created_at, now() - n % 40 * n % 3 * interval '1 day', 1, now() + (n % 7) * interval '1 day', 0, 1000 + n FROM numbered WHERE n % 3 > 0
       )
       INSERT INTO audit (at, actor, action, object, user_id)
         SELECT now() - (n % 29) * interval '1 day', 'operator', 'subscription.revoke', 'subscription:many-' || n, id FROM numbered WHERE n % 23 = 0`,
    );
    await expect(async () => {
      await support.to('Audit');
      await support.to('Overview');
      await expect(page.getByRole('region', { name: 'Sign-ups' })).toContainText('1,2', { timeout: 1_000 });
    }).toPass({ timeout: 40_000 });
    await expect(page.locator('.plot canvas')).toHaveCount(3);
    await shoot('overview');
    await support.card('silent').scrollIntoViewIfNeeded();
    await shoot('overview-end');
    await page.getByText('The numbers: Revocations').click();
    await expect(page.getByRole('table')).toContainText('Revocations');
    await shoot('overview-numbers');

    await server.keys('renew', '--life', '720h');
    await server.takeKeyset();
    await page.reload();
    await expect(page.getByText('The keyset ends')).toBeVisible();
    await shoot('keyset');

    await page.route('**/admin/v1/users/**', (route) => route.abort());
    await support.to('Customers');
    await support.search.fill('Ada');
    await support.found.first().getByRole('link').click();
    await expect(page.getByRole('alert').filter({ hasText: 'cannot be reached' })).toBeVisible();
    await shoot('user-out-of-reach');
    await page.unrouteAll();
    await page.route('**/admin/v1/session', (route) => route.abort());
    await page.reload();
    await expect(page.getByRole('heading', { name: 'The server cannot be reached' })).toBeVisible();
    await shoot('out-of-reach');
    await page.unrouteAll();
    await server.postgres.run('DELETE FROM staff');
    await page.getByRole('button', { name: 'Try again' }).click();
    await expect(page.getByRole('heading', { name: 'This is for staff' })).toBeVisible();
    await shoot('stranger');
    expect(troubles()).toEqual([]);
    await server.dispose();
  });
});
