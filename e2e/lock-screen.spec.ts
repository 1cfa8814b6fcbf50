import { expect, test } from './support/test.ts';

test('a locked page contains no notes, and the passkey opens it, also with the server stopped', async ({
  fieldbook,
  page,
  server,
}) => {
  await fieldbook.open();
  await fieldbook.createAccount('Ada');
  await fieldbook.write('Hut, key', 'Under the third stone');
  await fieldbook.installed();
  await server.stop();

  const tab = await fieldbook.openOn(await page.context().newPage());
  await expect(tab.note('Hut, key')).toBeVisible();
  await fieldbook.toAccount();
  await fieldbook.lockNow();
  await test.step('in every tab, and after a reload', async () => {
    for (const each of [fieldbook, tab]) {
      await expect(each.unlock).toBeVisible();
      expect(await each.page.content()).not.toMatch(/Hut, key|third stone/);
    }
    await page.reload();
    await expect(fieldbook.unlock).toBeFocused();
    await page.goto(`${server.origin}/#/account`);
    await expect(fieldbook.unlock).toBeVisible();
    expect(await page.content()).not.toMatch(/Hut, key|third stone/);
  });

  await fieldbook.unlock.click();
  await expect(fieldbook.headline).toBeVisible();
  expect(await fieldbook.read('Hut, key')).toBe('Under the third stone');
});

test('locks automatically as configured: when opened, and when idle', async ({ fieldbook, page }) => {
  await page.clock.install();
  await fieldbook.open();
  await fieldbook.createAccount('Ada');
  await fieldbook.write('Hut, key', 'Under the third stone');
  await fieldbook.toAccount();

  const onStart = page.getByRole('checkbox', { name: 'Lock when Fieldbook opens' });
  await onStart.check();
  await expect(page.getByRole('button', { name: 'Lock', exact: true })).toBeVisible();
  await page.reload();
  await fieldbook.unlock.click();
  await expect(onStart).toBeChecked();
  await onStart.uncheck();
  await expect(page.getByRole('button', { name: 'Lock', exact: true })).toBeHidden();

  await page.getByLabel('Lock when left alone').selectOption('After 5 minutes');
  await expect(page.getByRole('button', { name: 'Lock', exact: true })).toBeVisible();
  await page.clock.runFor(4 * 60_000);
  await expect(fieldbook.headline).toBeVisible();
  await page.clock.runFor(2 * 60_000);
  await expect(fieldbook.unlock).toBeVisible();
  expect(await page.content()).not.toContain('Hut, key');
});

test('a user who cannot unlock can sign out, and the notes stay for their owner', async ({ fieldbook, page }) => {
  await fieldbook.open();
  await fieldbook.createAccount('Ada');
  await fieldbook.write('Hut, key', 'Under the third stone');
  await fieldbook.toAccount();
  await fieldbook.lockNow();
  await page.getByRole('button', { name: 'Sign out' }).click();
  const question = page.getByRole('dialog');
  await expect(question.getByRole('radio')).toHaveCount(0);
  await question.getByRole('button', { name: 'Sign out' }).click();
  await fieldbook.signIn();
  expect(await fieldbook.read('Hut, key')).toBe('Under the third stone');
});
