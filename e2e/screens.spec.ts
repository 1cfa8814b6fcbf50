import { claimsOf } from './support/jws.ts';
import { press } from './support/keyboard.ts';
import { look, phone } from './support/looks.ts';
import { expect, test } from './support/test.ts';

test.describe('on a phone', () => {
  test.use({ viewport: phone });

  test('every screen passes accessibility checks', async ({ fieldbook, page, server }, info) => {
    test.slow();
    const shoot = (name: string) => look(page, info, name);

    await fieldbook.open();
    await shoot('welcome');
    await fieldbook.createAccount('Ada');
    await shoot('empty');

    for (const [title, text] of notes) await fieldbook.write(title, text);
    await shoot('note');
    expect(await page.locator('.changed').evaluate((line) => line.scrollWidth - line.clientWidth)).toBe(0);
    await page.getByRole('button', { name: 'Delete' }).click();
    await shoot('delete');
    await page.getByRole('button', { name: 'Keep it' }).click();
    await fieldbook.toNotes();
    await shoot('notes');
    await page.getByRole('searchbox', { name: 'Search notes' }).fill('nothing like it');
    await shoot('search-without-result');
    await page.getByRole('searchbox', { name: 'Search notes' }).fill('');
    await fieldbook.newNote.click();
    await shoot('limit');

    await fieldbook.toAccount();
    await shoot('account-free');
    await page.getByRole('button', { name: 'Start the free trial: 14 days' }).click();
    await fieldbook.expectPremium();
    await shoot('account-premium');
    for (const card of ['lock', 'storage', 'devices']) {
      await page.locator(`section[aria-labelledby=${card}]`).scrollIntoViewIfNeeded();
      await shoot(`account-${card}`);
    }
    await page.getByRole('button', { name: 'Sign out' }).click();
    await shoot('sign-out');
    await page.getByRole('radio', { name: 'Delete from this device' }).check();
    await shoot('sign-out-and-delete');
    await page.getByRole('button', { name: 'Stay' }).click();
    await fieldbook.lockNow();
    await shoot('locked');
    await fieldbook.unlock.click();
    await fieldbook.expectPremium();

    await fieldbook.installed();
    await server.stop();
    await page.reload();
    await fieldbook.expectPremium();
    await expect(fieldbook.line).toContainText('out of reach');
    await shoot('account-offline');
    // The trial's paid time ends after the first document does, so only the document's own end shows here.
    const { exp } = claimsOf(await fieldbook.held<string>('document'));
    await page.clock.install({ time: (exp - 2 * 86_400) * 1000 });
    await page.reload();
    await fieldbook.expectPremium();
    await shoot('account-offline-due');
    await page.clock.setSystemTime((exp + 86_400) * 1000);
    await page.reload();
    await fieldbook.expectWithoutPremium('Connect to renew premium');
    await shoot('account-expired');
    await server.start();
    expect(await fieldbook.checkNow()).toBe('Up to date.');

    await server.support('suspend', 'Ada');
    await fieldbook.checkNow();
    await fieldbook.expectWithoutPremium('Support has paused this subscription');
    await shoot('account-suspended');
    await server.support('revoke', 'Ada');
    await fieldbook.checkNow();
    await fieldbook.expectWithoutPremium('Support has ended this subscription');
    await shoot('account-revoked');
    await fieldbook.toNotes();
    await fieldbook.newNote.click();
    await shoot('limit-revoked');

    const { enrolment } = await server.admin<{ enrolment: { url: string } }>('POST', 'users', {
      name: 'Grace',
      external_id: 'customer-1',
    });
    await page.goto(enrolment.url);
    await expect(page.getByRole('heading', { name: 'Your account is ready.' })).toBeVisible();
    await shoot('enrolment');
  });
});

test('an enrolment link creates the first passkey of an account prepared by support, once', async ({
  fieldbook,
  server,
  browser,
}) => {
  const { enrolment } = await server.admin<{ enrolment: { url: string } }>('POST', 'users', {
    name: 'Grace',
    external_id: 'customer-1',
  });
  await fieldbook.open();
  await fieldbook.page.goto(enrolment.url);
  await fieldbook.page.getByRole('button', { name: 'Create passkey' }).click();
  await expect(fieldbook.newNote).toBeVisible();
  expect((await server.user('Grace')).devices).toHaveLength(1);

  const context = await browser.newContext();
  const other = await fieldbook.openOn(await context.newPage());
  await other.page.goto(enrolment.url);
  await other.page.getByRole('button', { name: 'Create passkey' }).click();
  await expect(other.page.getByRole('alert')).toContainText('used already');
  await context.close();
});

test('the app can be used with the keyboard alone', async ({ fieldbook, page }) => {
  const button = (name: string) => page.getByRole('button', { name, exact: true });
  await fieldbook.open();
  await press(page, page.getByLabel('Your name'), 'A');
  await page.keyboard.type('da');
  await page.keyboard.press('Enter');
  await expect(fieldbook.newNote).toBeVisible();
  await press(page, fieldbook.newNote);
  await expect(fieldbook.title).toBeFocused();
  await page.keyboard.type('By keyboard');
  await page.keyboard.press('Enter');
  await expect(fieldbook.text).toBeFocused();
  await page.keyboard.type('No mouse');
  await press(page, page.getByRole('link', { name: 'Account' }));
  await expect(fieldbook.headline).toBeVisible();
  await press(page, button('Start the free trial: 14 days'));
  await fieldbook.expectPremium();
  await press(page, button('Lock now'));
  await expect(fieldbook.unlock).toBeFocused();
  await page.keyboard.press('Enter');
  await fieldbook.expectPremium();
  await press(page, button('Sign out'));
  await page.keyboard.press('Escape');
  await expect(fieldbook.question).toBeHidden();
  await expect(button('Sign out')).toBeFocused();
  await page.keyboard.press('Enter');
  await press(page, fieldbook.question.getByRole('button', { name: 'Sign out' }));
  await press(page, button('Sign in with a passkey'));
  await expect(fieldbook.newNote).toBeVisible();
});

const notes = [
  ['Marsh walk, Sunday', 'Two curlews at the sluice.\nTide going out, wind from the north-east.'],
  ['Seeds to order', 'Borage\nYarrow\nCommon vetch'],
  ['Hut, key', 'Under the third stone.'],
  ['Moth trap', 'Elephant hawk-moth, two.\nOne that nobody knew: photograph on the camera, card 3.'],
  ['Questions for the warden', 'Why is the east path closed until August?'],
  ['Pond depth', '0.9 m at the reed, 1.4 m at the jetty.'],
  ['Ringing list', 'Reed warbler 4\nSedge warbler 2\nBearded tit 1'],
  ['Boat', 'Paint in April, not in May.'],
  ['Train home', '17:42 from the halt; it stops on request.'],
  ['First note', 'It works without the network.'],
] as const;
