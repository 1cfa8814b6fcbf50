import { Fieldbook } from './support/fieldbook.ts';
import { expect, test } from './support/test.ts';

async function begin(fieldbook: Fieldbook): Promise<void> {
  await fieldbook.open();
  await fieldbook.createAccount('Ada');
  await fieldbook.write('Kept', 'Still here');
  await fieldbook.startTrial();
  await fieldbook.installed();
}

/** Checks what a user with a deleted account sees, and the way out: a helpful message, and a new working account. */
async function startAgain(fieldbook: Fieldbook): Promise<void> {
  const { page, plan } = fieldbook;
  await expect(fieldbook.headline).toContainText('no longer linked');
  await expect(plan).toContainText(
    'the account may have been deleted, or the server reinstalled: ask support, or create',
  );
  await plan.getByRole('button', { name: 'Sign in with a passkey' }).click();
  await expect(plan.locator('.outcome')).toContainText('This passkey was not accepted.');
  await expect(plan.locator('.outcome')).toContainText('ask support, or create a new account');
  // Nothing is deleted: the notes can be carried over.
  expect(await fieldbook.read('Kept')).toBe('Still here');
  await fieldbook.toAccount();
  expect((await fieldbook.download()).text).toContain('Still here');
  await page.getByRole('button', { name: 'Sign out' }).click();
  await fieldbook.question.getByRole('button', { name: 'Sign out' }).click();
  await fieldbook.createAccount('Ada again');
  await fieldbook.write('First', '');
}

test('a user whose account was deleted elsewhere can start again', async ({ page, server, elsewhere }) => {
  const fieldbook = new Fieldbook(page, server.origin);
  await begin(fieldbook);
  const other = await fieldbook.openOn(elsewhere);
  await other.signIn();
  await other.toSecurity();
  await elsewhere.getByRole('button', { name: 'Delete account' }).click();
  await other.question.getByRole('button', { name: 'Delete for good' }).click();
  await expect(elsewhere.getByRole('status').filter({ hasText: 'Your account is deleted.' })).toBeVisible();
  // The page hears of it by itself.
  await fieldbook.toAccount();
  await startAgain(fieldbook);
  await fieldbook.startTrial();
  expect((await server.user('Ada again')).devices).toHaveLength(1);
});

test('a user can start again when another installation replaces the server', async ({ page, gateway }) => {
  const fieldbook = new Fieldbook(page, gateway.server.origin);
  await begin(fieldbook);
  await gateway.reinstall();
  await fieldbook.toAccount();
  await fieldbook.plan.getByRole('button', { name: 'Check now' }).click();
  await startAgain(fieldbook);
  // The installed app embeds the other installation's roots.
  await fieldbook.toAccount();
  expect(await fieldbook.checkNow()).toContain('does not know the keys of this server');
  await fieldbook.takeNewVersion();
  await fieldbook.startTrial();
  expect((await gateway.server.user('Ada again')).devices).toHaveLength(1);
});
