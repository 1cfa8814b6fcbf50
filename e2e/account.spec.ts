import { expect, test } from './support/test.ts';

test('signing out keeps or permanently deletes the notes, as chosen, also offline', async ({
  fieldbook,
  page,
  server,
}) => {
  await fieldbook.open();
  await fieldbook.createAccount('Ada');
  await fieldbook.write('Kept', 'Twice');
  await fieldbook.installed();
  const dialog = page.getByRole('dialog');

  await test.step('keeps the notes by default', async () => {
    await fieldbook.toAccount();
    await page.getByRole('button', { name: 'Sign out' }).click();
    await expect(dialog.getByRole('radio', { name: 'Keep on this device' })).toBeChecked();
    await dialog.getByRole('button', { name: 'Sign out' }).click();
    await fieldbook.signIn();
    expect(await fieldbook.read('Kept')).toBe('Twice');
  });

  await test.step('deletes the notes without the server', async () => {
    await server.stop();
    await fieldbook.toAccount();
    await page.getByRole('button', { name: 'Sign out' }).click();
    await dialog.getByRole('radio', { name: 'Delete from this device' }).check();
    await dialog.getByRole('button', { name: 'Sign out and delete notes' }).click();
    await expect(page.getByRole('status').filter({ hasText: 'signed out here' })).toBeVisible();
    const left = await page.evaluate(async () => {
      const opening = indexedDB.open('fieldbook');
      const database = await new Promise<IDBDatabase>((resolve, reject) => {
        opening.onsuccess = () => resolve(opening.result);
        opening.onerror = () => reject(opening.error);
      });
      const counting = database.transaction('notes').objectStore('notes').count();
      return new Promise<number>((resolve) => {
        counting.onsuccess = () => resolve(counting.result);
      });
    });
    expect(left).toBe(0);
  });

  await test.step('the server learns of the sign-out at the next contact', async () => {
    await server.start();
    await fieldbook.signIn();
    await expect(page.getByText('No notes yet.')).toBeVisible();
    expect((await server.user('Ada')).devices).toHaveLength(1);
  });
});

test('the devices of the account: this one, and others to unlink', async ({ fieldbook, page, server, browser }) => {
  await fieldbook.open();
  await fieldbook.createAccount('Ada');
  await fieldbook.write('Here', '');
  await fieldbook.startTrial();
  const card = page.locator('section[aria-labelledby=devices]');
  await expect(card).toContainText('No other device is linked');
  await expect(card.getByRole('listitem')).toHaveCount(1);
  await expect(card.getByRole('listitem')).toContainText('This device');

  const context = await browser.newContext();
  const other = await fieldbook.openOn(await context.newPage());
  await other.signIn();
  await other.toAccount();
  await expect(other.headline).toHaveText('Premium is on');

  await fieldbook.read('Here');
  await fieldbook.toAccount();
  await expect(card.getByRole('listitem')).toHaveCount(2);
  await card.getByRole('button', { name: /^Unlink / }).click();
  await page.getByRole('dialog').getByRole('button', { name: 'Unlink' }).click();
  await expect(card.getByRole('status')).toContainText('is unlinked.');
  await expect(card.getByRole('listitem')).toHaveCount(1);
  expect((await server.user('Ada')).devices.filter(({ removed }) => !removed)).toHaveLength(1);
  // It hears of it by itself.
  await other.expectWithoutPremium('This device was removed from your account');
  await fieldbook.checkNow();
  await fieldbook.expectPremium();
  await context.close();

  await test.step('without the server, lists only this device, and says why', async () => {
    await fieldbook.installed();
    await server.stop();
    await page.reload();
    await expect(card).toContainText('when the server can be reached');
    await expect(card.getByRole('listitem')).toContainText('This device');
  });
});
