import { readFile } from 'node:fs/promises';
import type { Page } from '@playwright/test';
import { Fieldbook } from './support/fieldbook.ts';
import { press } from './support/keyboard.ts';
import { look, phone } from './support/looks.ts';
import type { Server } from './support/server.ts';
import { expect, test } from './support/test.ts';

/** Makes all sign-ins old. */
async function age(server: Server): Promise<void> {
  await server.postgres.run("UPDATE sessions SET authenticated_at = authenticated_at - interval '11 minutes'");
}

/** Confirms with a passkey, and expects the action to continue. */
async function confirm(page: Page): Promise<void> {
  await page
    .getByRole('dialog', { name: 'Is it you?' })
    .getByRole('button', { name: 'Continue with a passkey' })
    .click();
  await expect(page.getByRole('dialog', { name: 'Is it you?' })).toBeHidden();
}

test('autofill signs in with a passkey, and does not block other prompts', async ({ fieldbook, elsewhere }) => {
  await fieldbook.open([], { autofill: true });
  // A pending autofill would block this prompt.
  await fieldbook.createAccount('Ada');
  const passkeys = await fieldbook.passkeys();

  const other = new Fieldbook(elsewhere, fieldbook.origin);
  await other.open(passkeys, { autofill: true });
  await expect(other.newNote).toBeVisible();
});

test('the page offers what the browser supports', async ({ page, server }) => {
  const none = { conditionalGet: false, passkeyPlatformAuthenticator: false, hybridTransport: false };
  const hint = page.locator('.hint');
  const signIn = page.getByRole('button', { name: 'Sign in with a passkey' });
  /** Opens the page in a browser with these capabilities; returns how often it has begun an autofill. */
  const shown = async (capabilities: object | null) => {
    await page.goto('about:blank');
    await page.goto(`${server.origin}/#${encodeURIComponent(JSON.stringify(capabilities))}`);
    await expect(page.getByRole('heading', { name: 'Notes that are there' })).toBeVisible();
    return () => page.evaluate(() => (window as unknown as { autofills: number }).autofills);
  };
  await page.addInitScript(() => {
    if (!location.hash) return;
    const capabilities = JSON.parse(decodeURIComponent(location.hash.slice(1)));
    if (!capabilities) Reflect.deleteProperty(globalThis, 'PublicKeyCredential');
    else PublicKeyCredential.getClientCapabilities = async () => capabilities;
    Object.assign(window, { autofills: 0 });
    navigator.credentials.get = ({ mediation, signal } = {}) => {
      if (mediation === 'conditional') (window as unknown as { autofills: number }).autofills++;
      return new Promise((_, reject) => signal?.addEventListener('abort', () => reject(signal.reason)));
    };
  });
  await test.step('all features', async () => {
    const autofills = await shown({ conditionalGet: true, passkeyPlatformAuthenticator: true, hybridTransport: true });
    await expect.poll(autofills).toBe(1);
    await expect(hint).toHaveCount(0);
  });
  await test.step('a phone or a security key, and no autofill', async () => {
    const autofills = await shown({ ...none, hybridTransport: true });
    await expect(hint).toContainText('use a phone nearby, or a security key');
    expect(await autofills()).toBe(0);
  });
  await test.step('a security key', async () => {
    await shown(none);
    await expect(hint).toContainText('use a security key');
    await expect(hint).not.toContainText('phone');
    await expect(signIn).toBeVisible();
  });
  await test.step('no passkeys: says so at once, and offers nothing that cannot work', async () => {
    await shown(null);
    await expect(page.getByRole('alert')).toContainText('This browser cannot use passkeys.');
    await expect(signIn).toHaveCount(0);
    await expect(page.getByLabel('Your name')).toHaveCount(0);
  });
});

test('a second passkey is added, renamed, and deleted with its sessions, and authenticators are notified', async ({
  fieldbook,
  page,
  server,
  browser,
}) => {
  await fieldbook.open();
  await fieldbook.createAccount('Ada');
  const context = await browser.newContext();
  const other = await fieldbook.openOn(await context.newPage());
  await other.signIn();
  await other.losePasskeys();
  const card = other.card('passkeys');

  await test.step('added, after one tap if the sign-in was long ago', async () => {
    // The tap uses the first passkey, from the phone; it must be absent when the second is made.
    await other.toSecurity();
    await card.getByRole('button', { name: 'Add a passkey' }).click();
    await expect(card.getByRole('status')).toContainText('The passkey is added.');
    await expect(card.getByRole('listitem')).toHaveCount(2);
    await expect(card.getByRole('listitem').filter({ hasText: 'In use here' })).toHaveCount(1);
    // The first one was also used on this device.
    await expect(card.getByRole('listitem').filter({ hasText: 'This device' })).toHaveCount(2);
  });

  await test.step('renamed', async () => {
    const used = card.getByRole('listitem').filter({ hasText: 'In use here' });
    await used.getByRole('button', { name: 'Rename' }).click();
    await other.question.getByLabel('Name').fill('Old laptop');
    await other.question.getByRole('button', { name: 'Rename' }).click();
    await expect(used.getByText('Old laptop')).toBeVisible();
  });

  await test.step('listed and deleted on the first device, with its sessions, after one tap', async () => {
    await fieldbook.toSecurity();
    await fieldbook.catchUp();
    await age(server);
    const mine = fieldbook.card('passkeys');
    await expect(mine.getByRole('listitem').filter({ hasText: 'This device' })).toHaveCount(1);
    await expect(mine.getByRole('listitem').filter({ hasText: 'Old laptop' })).not.toContainText('This device');
    await mine.getByRole('button', { name: 'Delete Old laptop' }).click();
    await expect(fieldbook.question).toContainText('1 other session was opened with it');
    await fieldbook.question.getByRole('button', { name: 'Delete', exact: true }).click();
    await confirm(page);
    await expect(mine.getByRole('status')).toContainText('Old laptop is deleted.');
    await expect(mine.getByRole('listitem')).toHaveCount(1);
    await expect(fieldbook.card('sessions').getByRole('listitem')).toHaveCount(1);
    await other.page.reload();
    await expect(other.page.getByText('sign in with your passkey once more')).toBeVisible();
  });

  await test.step('the last one cannot be deleted while it is the only way in', async () => {
    const mine = fieldbook.card('passkeys');
    await mine.getByRole('button', { name: /^Delete/ }).click();
    await fieldbook.question.getByRole('button', { name: 'Delete', exact: true }).click();
    await expect(mine.getByRole('alert')).toContainText('your only way in');
  });
  await context.close();
});

test('a passkey is renamed and deleted in the authenticator too', async ({ fieldbook, elsewhere }) => {
  await fieldbook.open();
  await fieldbook.createAccount('Ada');
  await fieldbook.losePasskeys();
  await fieldbook.toSecurity();
  const card = fieldbook.card('passkeys');
  await card.getByRole('button', { name: 'Add a passkey' }).click();
  await expect(card.getByRole('listitem')).toHaveCount(2);

  const used = card.getByRole('listitem').filter({ hasText: 'In use here' });
  const outdated = (await fieldbook.passkeys()).map((held) => ({ ...held, userName: 'Adda', userDisplayName: 'Adda' }));
  await fieldbook.holdPasskeys(outdated);
  await used.getByRole('button', { name: 'Rename' }).click();
  await fieldbook.question.getByLabel('Name').fill('Second');
  await fieldbook.question.getByRole('button', { name: 'Rename' }).click();
  await expect(used.getByText('Second')).toBeVisible();
  await expect
    .poll(async () => (await fieldbook.passkeys()).map(({ userName, userDisplayName }) => [userName, userDisplayName]))
    .toEqual([['Ada', 'Second']]);

  await test.step('at the next sign-in, if it was renamed on another device', async () => {
    const other = await fieldbook.openOn(elsewhere);
    await other.signIn();
    await other.holdPasskeys(outdated.map((held) => ({ ...held, signCount: held.signCount + 10 })));
    await other.toAccount();
    await elsewhere.getByRole('button', { name: 'Sign out' }).click();
    await other.question.getByRole('button', { name: 'Sign out' }).click();
    await other.signIn();
    await expect.poll(async () => (await other.passkeys()).map((held) => held.userDisplayName)).toEqual(['Second']);
  });
  await card.getByRole('button', { name: 'Delete Second' }).click();
  await fieldbook.question.getByRole('button', { name: 'Delete', exact: true }).click();
  await expect(card.getByRole('status')).toContainText('Second is deleted.');
  await expect.poll(() => fieldbook.passkeys()).toEqual([]);
});

test('without a confirmation nothing changes', async ({ fieldbook, elsewhere, page, server }) => {
  const grace = new Fieldbook(elsewhere, fieldbook.origin);
  await grace.open();
  await grace.createAccount('Grace');
  await fieldbook.open();
  await fieldbook.createAccount('Ada');
  await fieldbook.toSecurity();
  await age(server);
  await page.getByRole('button', { name: 'Make recovery codes' }).click();
  await fieldbook.question.getByRole('button', { name: 'Cancel' }).click();
  await expect(fieldbook.question).toBeHidden();
  await expect(fieldbook.card('recovery-codes')).toContainText('You have no recovery codes.');

  await test.step('another user’s passkey neither confirms nor signs in', async () => {
    const own = await fieldbook.passkeys();
    await fieldbook.holdPasskeys(await grace.passkeys());
    await page.getByRole('button', { name: 'Make recovery codes' }).click();
    await confirm(page);
    await expect(fieldbook.card('recovery-codes').getByRole('alert')).toContainText('passkey is of another account');
    await expect(fieldbook.card('recovery-codes')).toContainText('You have no recovery codes.');
    expect((await fieldbook.held<{ name: string }>('user')).name).toBe('Ada');
    await fieldbook.holdPasskeys(own);
  });

  await test.step('the page stays usable', async () => {
    await page.getByRole('button', { name: 'Make recovery codes' }).click();
    await confirm(page);
    await expect(fieldbook.question.getByRole('listitem')).toHaveCount(10);
    expect((await server.trail('Grace')).filter((action) => action.startsWith('recovery'))).toEqual([]);
  });
});

test('a destructive action asks for the passkey again, and continues', async ({
  fieldbook,
  elsewhere,
  page,
  server,
}) => {
  await fieldbook.open();
  await fieldbook.createAccount('Ada');
  const other = await fieldbook.openOn(elsewhere);
  await other.signIn();
  await fieldbook.catchUp();
  await fieldbook.toSecurity();
  const asked = async (step: string, work: () => Promise<void>) =>
    test.step(step, async () => {
      await age(server);
      await work();
      await confirm(page);
    });

  const passkeys = fieldbook.card('passkeys');
  await asked('a passkey is renamed', async () => {
    await passkeys.getByRole('button', { name: /^Rename/ }).click();
    await fieldbook.question.getByLabel('Name').fill('Desk');
    await fieldbook.question.getByRole('button', { name: 'Rename' }).click();
  });
  await expect(passkeys).toContainText('Desk');
  const sessions = fieldbook.card('sessions');
  await expect(sessions.getByRole('listitem')).toHaveCount(2);
  await asked('all other sessions end', () => sessions.getByRole('button', { name: 'End all others' }).click());
  await expect(sessions.getByRole('listitem')).toHaveCount(1);

  await fieldbook.toAccount();
  await asked('the trial begins', () => page.getByRole('button', { name: 'Start the free trial: 14 days' }).click());
  await expect(page.getByText('Premium is on. Enjoy the trial.')).toBeVisible();
  await asked('a device is unlinked', async () => {
    await page.getByRole('button', { name: /^Unlink / }).click();
    await fieldbook.question.getByRole('button', { name: 'Unlink' }).click();
  });
  await expect(page.getByRole('button', { name: /^Unlink / })).toHaveCount(0);

  await test.step('signing out needs no tap, and unlinks this device', async () => {
    await age(server);
    await page.getByRole('button', { name: 'Sign out' }).click();
    await fieldbook.question.getByRole('button', { name: 'Sign out' }).click();
    await expect(page.getByRole('button', { name: 'Sign in with a passkey' })).toBeVisible();
    await expect.poll(async () => (await server.user('Ada')).devices.every(({ removed }) => removed)).toBe(true);
  });
});

test('recovery codes print alone on one page, and stay visible until dismissed', async ({ fieldbook, page }) => {
  await page.addInitScript(() => {
    const printed = { times: 0 };
    Object.assign(window, { printed, print: () => printed.times++ });
  });
  await fieldbook.open();
  await fieldbook.createAccount('Ada');
  await fieldbook.toSecurity();
  await page.getByRole('button', { name: 'Make recovery codes' }).click();
  const codes = fieldbook.question.getByRole('code');
  await expect(codes).toHaveCount(10);
  await fieldbook.question.getByRole('button', { name: 'Print' }).click();
  expect(await page.evaluate(() => (window as unknown as { printed: { times: number } }).printed.times)).toBe(1);

  const made = await codes.allTextContents();
  await test.step('in print', async () => {
    await page.emulateMedia({ media: 'print' });
    const lines = (await page.locator('body').innerText()).split('\n').filter((line) => line.trim() !== '');
    expect(lines).toEqual([
      'Your recovery codes',
      expect.stringContaining(`For Ada at ${new URL(fieldbook.origin).host}.`),
      ...made,
    ]);
    const paper = await page.pdf();
    expect(paper.toString('latin1').match(/\/Type\s*\/Page\b/g)).toHaveLength(1);
    await page.emulateMedia({ media: null });
  });

  await test.step('neither Escape nor leaving the page loses them', async () => {
    await page.keyboard.press('Escape');
    await expect(codes).toHaveCount(10);
    await page.goBack();
    await expect(fieldbook.headline).toBeVisible();
    await fieldbook.toSecurity();
    await expect(codes).toHaveText(made);
  });

  await test.step('the next user of this browser does not see them', async () => {
    await page.goBack();
    await page.getByRole('button', { name: 'Sign out' }).click();
    await fieldbook.question.getByRole('button', { name: 'Sign out' }).click();
    await fieldbook.losePasskeys();
    await fieldbook.createAccount('Grace');
    await fieldbook.toSecurity();
    await expect(fieldbook.card('recovery-codes')).toContainText('You have no recovery codes.');
    await expect(fieldbook.question).toBeHidden();
  });
});

test('passkeys and recovery can be managed with the keyboard alone', async ({ fieldbook, page, server }) => {
  const button = (name: string | RegExp) => page.getByRole('button', { name, exact: typeof name === 'string' });
  const inQuestion = (name: string) => fieldbook.question.getByRole('button', { name, exact: true });
  await fieldbook.open();
  await fieldbook.createAccount('Ada');
  await fieldbook.toSecurity();
  const passkeys = fieldbook.card('passkeys');

  await test.step('a new name', async () => {
    await press(page, button(/^Rename/));
    await expect(fieldbook.question.getByLabel('Name')).toBeFocused();
    await page.keyboard.press('ControlOrMeta+A');
    await page.keyboard.type('Desk');
    await page.keyboard.press('Enter');
    await expect(passkeys).toContainText('Desk');
    await expect(button('Rename Desk')).toBeFocused();
  });

  await test.step('recovery codes, after a tap', async () => {
    await age(server);
    await press(page, button('Make recovery codes'));
    await press(page, inQuestion('Continue with a passkey'));
    await expect(fieldbook.question.getByRole('code')).toHaveCount(10);
  });
  const [code = ''] = await fieldbook.question.getByRole('code').allTextContents();
  await press(page, inQuestion('I have kept them'));
  await expect(fieldbook.card('recovery-codes')).toContainText('10 of 10 left');

  await test.step('adding and deleting a passkey', async () => {
    await fieldbook.losePasskeys();
    await press(page, button('Add a passkey'));
    await expect(passkeys.getByRole('listitem')).toHaveCount(2);
    await press(page, button('Delete Desk'));
    await press(page, inQuestion('Delete'));
    await expect(passkeys.getByRole('listitem')).toHaveCount(1);
  });

  await test.step('recovery', async () => {
    await press(page, page.getByRole('link', { name: 'Account' }).first());
    await expect(fieldbook.headline).toBeVisible();
    await press(page, button('Sign out'));
    await press(page, inQuestion('Sign out'));
    await press(page, page.getByRole('link', { name: 'Use a recovery code' }));
    await fieldbook.losePasskeys();
    await press(page, page.getByLabel('Recovery code'), code.charAt(0));
    await page.keyboard.type(code.slice(1));
    await page.keyboard.press('Enter');
    await expect(page.getByRole('heading', { name: 'Welcome back, Ada.' })).toBeVisible();
    await press(page, page.getByRole('link', { name: 'Passkeys and recovery codes' }));
    await expect(passkeys.getByRole('listitem')).toHaveCount(2);
  });

  await test.step('its notice, with the new passkey', async () => {
    await age(server);
    const file = page.waitForEvent('download');
    await press(page, button('Download all data'));
    await press(page, inQuestion('Continue with a passkey'));
    await file;
    const notice = page.getByRole('dialog', { name: 'Since you were here' });
    await press(page, notice.getByRole('button', { name: 'That was me' }));
    await expect(notice).toBeHidden();
  });

  await test.step('deleting the account', async () => {
    await press(page, button('Delete account'));
    await page.keyboard.press('Escape');
    await expect(button('Delete account')).toBeFocused();
    await page.keyboard.press('Enter');
    await press(page, inQuestion('Delete for good'));
    await expect(page.getByRole('status').filter({ hasText: 'Your account is deleted.' })).toBeVisible();
  });
});

test('sessions are listed, and one or all others can be ended', async ({ fieldbook, browser }) => {
  await fieldbook.open();
  await fieldbook.createAccount('Ada');
  const contexts = [];
  for (let n = 0; n < 3; n++) {
    const context = await browser.newContext();
    contexts.push(context);
    await fieldbook.catchUp();
    await (await fieldbook.openOn(await context.newPage())).signIn();
  }
  await fieldbook.toSecurity();
  const card = fieldbook.card('sessions');
  await expect(card.getByRole('listitem')).toHaveCount(4);
  await expect(card.getByRole('listitem').first()).toContainText('This session');
  await expect(card.getByRole('listitem').nth(1)).toContainText(
    /Chrom.* on .*Signed in today.* with .*Last active today/,
  );
  await card
    .getByRole('button', { name: /^End Chrom/ })
    .first()
    .click();
  await expect(card.getByRole('listitem')).toHaveCount(3);
  await card.getByRole('button', { name: 'End all others' }).click();
  await expect(card.getByRole('status')).toContainText('All other sessions are ended.');
  await expect(card.getByRole('listitem')).toHaveCount(1);
  for (const context of contexts) await context.close();
});

test('a recovery code adds a passkey in another browser, and the owner gets a notice', async ({
  fieldbook,
  page,
  context,
  elsewhere,
  server,
}) => {
  await context.grantPermissions(['clipboard-read', 'clipboard-write']);
  await fieldbook.open();
  await fieldbook.createAccount('Ada');
  await fieldbook.toSecurity();
  await page.getByRole('button', { name: 'Make recovery codes' }).click();
  await fieldbook.question.getByRole('button', { name: 'Copy' }).click();
  await expect(fieldbook.question.getByRole('status')).toHaveText('Copied.');
  const codes = (await page.evaluate(() => navigator.clipboard.readText())).trim().split('\n');
  expect(codes).toEqual(await fieldbook.question.getByRole('code').allTextContents());
  await fieldbook.question.getByRole('button', { name: 'I have kept them' }).click();
  await expect(fieldbook.card('recovery-codes')).toContainText('10 of 10 left');

  const other = new Fieldbook(elsewhere, fieldbook.origin);
  await test.step('without any passkey', async () => {
    await other.open();
    await elsewhere.getByRole('link', { name: 'Use a recovery code' }).click();
    await elsewhere.getByLabel('Recovery code').fill('0000-0000-0000-0000-0000-0000');
    await elsewhere.getByRole('button', { name: 'Create passkey' }).click();
    await expect(elsewhere.getByRole('alert')).toContainText('This code is not right');
    await elsewhere.getByLabel('Recovery code').fill(codes[0]?.toLowerCase().replaceAll('-', ' ') ?? '');
    await elsewhere.getByLabel('Recovery code').press('Enter');
    await expect(elsewhere.getByRole('heading', { name: 'Welcome back, Ada.' })).toBeVisible();
    expect(await other.passkeys()).toHaveLength(1);
  });

  await test.step('the lost device is unlinked', async () => {
    const devices = elsewhere.getByRole('list', { name: 'Other devices' });
    await devices.getByRole('button', { name: /^Unlink/ }).click();
    await expect(elsewhere.getByRole('heading', { name: 'No other device is linked.' })).toBeVisible();
    await elsewhere.getByRole('button', { name: 'Go to my notes' }).click();
    await expect(other.newNote).toBeVisible();
    expect((await server.user('Ada')).devices).toHaveLength(1);
  });

  await test.step('a code works once', async () => {
    await other.toSecurity();
    await expect(other.card('recovery-codes')).toContainText('9 of 10 left');
    await expect(other.card('passkeys').getByRole('listitem')).toHaveCount(2);
    await expect(other.card('sessions').getByRole('listitem')).toHaveCount(1);
  });

  await test.step('the notice at the next sign-in with the old passkey stays until dismissed, also after a reload', async () => {
    await page.reload();
    await page.getByRole('button', { name: 'Sign in with a passkey' }).click();
    const notice = page.getByRole('dialog', { name: 'Since you were here' });
    await expect(notice).toContainText('Your account was recovered with a recovery code');
    await page.reload();
    await expect(notice).toContainText('Your account was recovered with a recovery code');
    await notice.getByRole('button', { name: 'That was me' }).click();
    await expect(notice).toBeHidden();
    await page.reload();
    await expect(fieldbook.card('passkeys').getByRole('listitem')).toHaveCount(2);
    await expect(notice).toBeHidden();
  });
});

test('a possibly copied passkey is refused, and its owner gets a notice at the next sign-in', async ({
  fieldbook,
  elsewhere,
  page,
}) => {
  const signInAgain = async () => {
    await fieldbook.toAccount();
    await page.getByRole('button', { name: 'Sign out' }).click();
    await fieldbook.question.getByRole('button', { name: 'Sign out' }).click();
    await fieldbook.signIn();
  };
  await fieldbook.open();
  await fieldbook.createAccount('Ada');
  await fieldbook.openOn(elsewhere);
  await signInAgain();
  await elsewhere.getByRole('button', { name: 'Sign in with a passkey' }).click();
  await expect(elsewhere.getByRole('alert')).toContainText('This passkey was not accepted.');
  await signInAgain();
  const notice = page.getByRole('dialog', { name: 'Since you were here' });
  await expect(notice).toContainText(/A sign-in with the passkey .* was refused .*The passkey may have been copied/);
  await notice.getByRole('button', { name: 'Look at passkeys and sessions' }).click();
  await expect(fieldbook.card('passkeys').getByRole('listitem')).toHaveCount(1);
  await expect(notice).toBeHidden();
});

test('support’s recovery link leads to the same page', async ({ fieldbook, elsewhere, server }) => {
  await fieldbook.open();
  await fieldbook.createAccount('Ada');
  const { user } = await server.user('Ada');
  const { recovery } = await server.admin<{ recovery: { url: string } }>('POST', `users/${user.id}/recovery`);
  const other = new Fieldbook(elsewhere, fieldbook.origin);
  await other.open();
  await elsewhere.goto(recovery.url);
  await expect(elsewhere).toHaveURL(`${server.origin}/`);
  await elsewhere.getByRole('button', { name: 'Create passkey' }).click();
  await expect(elsewhere.getByRole('heading', { name: 'Welcome back, Ada.' })).toBeVisible();
});

test('all data can be downloaded, and the account permanently deleted', async ({ fieldbook, page, server }) => {
  await fieldbook.open();
  await fieldbook.createAccount('Ada');
  await fieldbook.write('Mine', 'Alone');
  await fieldbook.toSecurity();
  await age(server);
  // After the download the page reads its lists again, which counts as part of it.
  let readOn = () => {};
  const read = new Promise<void>((resolve) => {
    readOn = resolve;
  });
  await page.route('**/v1/sessions', (route) => read.then(() => route.continue()));
  const [file] = await Promise.all([
    page.waitForEvent('download'),
    (async () => {
      await page.getByRole('button', { name: 'Download all data' }).click();
      await confirm(page);
    })(),
  ]);
  const data = JSON.parse(await readFile(await file.path(), 'utf8'));
  expect(data.user.name).toBe('Ada');
  expect(data.passkeys).toHaveLength(1);

  await page.getByRole('button', { name: 'Delete account' }).click();
  await expect(fieldbook.question).toContainText('Nobody can bring it back.');
  const yes = fieldbook.question.getByRole('button', { name: 'Delete for good' });
  await expect(yes).toBeDisabled();
  readOn();
  await yes.click();
  await expect(page.getByRole('status').filter({ hasText: 'Your account is deleted.' })).toBeVisible();
  const { users } = await server.admin<{ users: unknown[] }>('GET', 'users?q=Ada');
  expect(users).toEqual([]);
  await expect.poll(() => fieldbook.passkeys()).toEqual([]);
  await fieldbook.createAccount('Ada again');
  await expect(page.getByText('No notes yet.')).toBeVisible();
});

test.describe('on a phone', () => {
  test.use({ viewport: phone });

  test('every screen about passkeys and recovery passes accessibility checks', async ({
    fieldbook,
    page,
    server,
  }, info) => {
    test.slow();
    const shoot = (name: string) => look(page, info, name);
    await fieldbook.open();
    await page.getByRole('link', { name: 'Use a recovery code' }).click();
    await expect(page.getByLabel('Recovery code')).toBeVisible();
    await shoot('recovery');
    await page.getByRole('button', { name: 'Not now' }).click();
    await fieldbook.createAccount('Ada');
    await fieldbook.toSecurity();
    await shoot('security');
    await page.getByRole('button', { name: 'Make recovery codes' }).click();
    await expect(fieldbook.question.getByRole('listitem')).toHaveCount(10);
    await shoot('codes');
    const [code = ''] = await fieldbook.question.getByRole('code').allTextContents();
    await fieldbook.question.getByRole('button', { name: 'I have kept them' }).click();
    for (const card of ['recovery-codes', 'sessions', 'account-data']) {
      await fieldbook.card(card).scrollIntoViewIfNeeded();
      await shoot(card);
    }
    await page.getByRole('button', { name: /^Rename/ }).click();
    await shoot('rename');
    await fieldbook.question.getByRole('button', { name: 'Cancel' }).click();
    await fieldbook
      .card('passkeys')
      .getByRole('button', { name: /^Delete/ })
      .click();
    await shoot('delete-passkey');
    await fieldbook.question.getByRole('button', { name: 'Keep it' }).click();
    await page.getByRole('button', { name: 'Delete account' }).click();
    await shoot('delete-account');
    await fieldbook.question.getByRole('button', { name: 'Keep it' }).click();
    await age(server);
    await page.getByRole('button', { name: 'Download all data' }).click();
    await expect(fieldbook.question).toBeVisible();
    await shoot('confirmation');
    await fieldbook.question.getByRole('button', { name: 'Cancel' }).click();

    const passkeys = await fieldbook.passkeys();
    await fieldbook.losePasskeys();
    await page.goto(`${server.origin}/#/recovery`);
    await page.getByLabel('Recovery code').fill(code);
    await page.getByRole('button', { name: 'Create passkey' }).click();
    await expect(page.getByRole('heading', { name: 'Welcome back, Ada.' })).toBeVisible();
    await shoot('recovered');
    await page.getByRole('button', { name: 'Go to my notes' }).click();

    await fieldbook.holdPasskeys(passkeys);
    await fieldbook.toSecurity();
    await age(server);
    await page.getByRole('button', { name: 'Download all data' }).click();
    await confirm(page);
    await expect(page.getByRole('dialog', { name: 'Since you were here' })).toBeVisible();
    await shoot('notice');
  });
});
