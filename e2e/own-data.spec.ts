import { readFile } from 'node:fs/promises';
import type { Page } from '@playwright/test';
import { Fieldbook } from './support/fieldbook.ts';
import { look } from './support/looks.ts';
import { Server } from './support/server.ts';
import { expect, test, watch } from './support/test.ts';

/** Downloads the copy of everything that this browser stores. */
async function downloadCopy(page: Page): Promise<{ notes: { title: string; text: string }[]; user: { name: string } }> {
  const [file] = await Promise.all([
    page.waitForEvent('download'),
    page.getByRole('button', { name: 'Download a copy' }).click(),
  ]);
  return JSON.parse(await readFile(await file.path(), 'utf8'));
}

test('what this browser stores can be copied and erased offline, without premium, with an ended session', async ({
  fieldbook,
  page,
  server,
}, info) => {
  await fieldbook.open();
  await fieldbook.createAccount('Ada');
  await fieldbook.write('Kept', 'Nowhere else');
  await fieldbook.startTrial();
  await server.support('revoke', 'Ada');
  await fieldbook.checkNow();
  await fieldbook.expectWithoutPremium('Support has ended this subscription');
  await fieldbook.installed();
  await page.context().clearCookies();
  await server.stop();
  await page.reload();
  await fieldbook.expectWithoutPremium('Support has ended this subscription');

  const copy = await downloadCopy(page);
  expect(copy.user.name).toBe('Ada');
  expect(copy.notes).toMatchObject([{ title: 'Kept', text: 'Nowhere else' }]);
  await expect(fieldbook.card('storage')).toContainText('A copy with 1 note is downloaded.');

  await page.getByRole('button', { name: 'Erase from this browser' }).click();
  await expect(fieldbook.question).toContainText('The notes are kept nowhere else');
  await expect(fieldbook.question).toContainText('Your account and your other devices stay as they are');
  await look(page, info, 'erase');
  await page.getByRole('button', { name: 'Keep it', exact: true }).click();
  await expect(fieldbook.notes.getByText('Kept', { exact: true })).toBeAttached();
  await page.getByRole('button', { name: 'Erase from this browser' }).click();
  await page.getByRole('button', { name: 'Erase', exact: true }).click();
  await expect(page.getByText('Your notes are erased from this browser.')).toBeVisible();
  await look(page, info, 'erased');

  await server.start();
  await fieldbook.signIn();
  await expect(page.getByText('No notes yet.')).toBeVisible();
});

test('offline, the page of passkeys and sessions shows what was last seen, and to nobody else', async ({
  fieldbook,
  page,
  server,
}, info) => {
  await fieldbook.open();
  await fieldbook.createAccount('Ada');
  await fieldbook.toSecurity();
  await fieldbook.installed();
  await server.stop();
  await page.reload();
  const card = page.getByRole('region', { name: 'Passkeys and sessions' });
  await expect(card).toContainText('As of today');
  await expect(card.getByRole('list', { name: 'Passkeys' }).getByRole('listitem')).toHaveCount(1);
  await expect(card.getByRole('list', { name: 'Sessions' }).getByRole('listitem')).toHaveCount(1);
  await look(page, info, 'security-offline');

  await page.goto(`${fieldbook.origin}/#/account`);
  await page.getByRole('button', { name: 'Sign out' }).click();
  await fieldbook.question.getByRole('button', { name: 'Sign out' }).click();
  await expect(page.getByRole('button', { name: 'Create account' })).toBeVisible();
  expect(await page.evaluate(() => localStorage.getItem('fieldbook-security'))).toBeNull();
});

test('an idle page says within seconds that the server is out of reach', async ({ fieldbook, page, server }, info) => {
  await fieldbook.open();
  await fieldbook.createAccount('Ada');
  await fieldbook.write('Kept', '');
  await fieldbook.startTrial();
  await expect(fieldbook.line).toBeEmpty();
  // The page follows the server's events, and does nothing else.
  await server.stop();
  await expect(fieldbook.line).toContainText('The server is out of reach. Premium until', { timeout: 10_000 });
  await look(page, info, 'out-of-reach');
});

for (const [trial, length] of [
  ['3d', '3 days'],
  ['0', null],
] as const) {
  test(`the first page mentions the trial that the server offers: ${length ?? 'none'}`, async ({ page }, info) => {
    const server = await Server.launch(undefined, ['--trial', trial]);
    try {
      const troubles = await watch(page.context(), page);
      const fieldbook = new Fieldbook(page, server.origin);
      const told = page.waitForResponse(/\/v1\/trial$/);
      await fieldbook.open();
      await told;
      const promise = page.getByText('Premium is free to try');
      if (length) await expect(promise).toContainText(`${length}.`);
      else await expect(promise).toBeHidden();
      await look(page, info, `welcome-trial-${trial}`);
      await fieldbook.createAccount('Ada');
      const badge = page.getByRole('link', { name: 'Free: try premium' });
      await fieldbook.write('Kept', '');
      if (length) {
        await badge.click();
        await page.getByRole('button', { name: `Start the free trial: ${length}` }).click();
        await fieldbook.expectPremium();
        await expect(badge).toBeHidden();
      } else {
        await fieldbook.toAccount();
        await expect(fieldbook.plan).toContainText('Ask support how to get premium.');
        await expect(badge).toBeHidden();
        await expect(page.getByRole('button', { name: /trial/ })).toBeHidden();
      }
      expect(troubles()).toEqual([]);
    } finally {
      await server.dispose();
    }
  });
}
