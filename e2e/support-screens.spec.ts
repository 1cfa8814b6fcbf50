import type { TestInfo } from '@playwright/test';
import { Console } from './support/console.ts';
import { Fieldbook } from './support/fieldbook.ts';
import { look, looks } from './support/looks.ts';
import { expect, test, watch } from './support/test.ts';

for (const [size, viewport] of Object.entries(looks)) {
  for (const colorScheme of ['light', 'dark'] as const) {
    test.describe(`${size}, ${colorScheme}`, () => {
      test.use({ viewport, colorScheme });

      test('every screen of the console, looked at and checked for accessibility', async ({
        page,
        server,
        elsewhere,
      }, info: TestInfo) => {
        test.slow();
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
        await shoot('search');

        const customer = new Fieldbook(elsewhere, server.origin);
        await customer.open();
        await customer.createAccount('Ada Lovelace, of the long name that goes on');
        await customer.write('First note', 'It works.');
        await customer.startTrial();
        await support.search.fill('nobody');
        await expect(page.getByText('Nobody is called')).toBeVisible();
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
        await shoot('link');
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
        await expect(page.getByText('Reinstated').first()).toBeVisible();
        await shoot('audit');
        await support.to('Staff');
        await expect(page.getByText('you', { exact: true })).toBeVisible();
        await shoot('staff');
        await page.getByRole('button', { name: 'Invite…' }).click();
        await shoot('staff-invite');
        await page.keyboard.press('Escape');
        await support.to('Webhooks');
        await expect(page.getByText('Nothing was sent yet')).toBeVisible();
        await shoot('webhooks');
        await support.to('Gaps');
        await expect(page.getByText('None is open')).toBeVisible();
        await shoot('gaps');

        await page.route('**/admin/v1/users/**', (route) => route.abort());
        await support.to('Customers');
        await support.search.fill('Ada');
        await support.found.first().getByRole('link').click();
        await expect(page.getByRole('alert').filter({ hasText: 'cannot be reached' })).toBeVisible();
        await shoot('user-out-of-reach');
        expect(troubles()).toEqual([]);
      });
    });
  }
}
