import { readFile } from 'node:fs/promises';
import type { Page } from '@playwright/test';
import { Authenticator } from './support/authenticator.ts';
import { Console } from './support/console.ts';
import { phone } from './support/looks.ts';
import { expect, test, watch } from './support/test.ts';

/** The offline window here, short enough for a test to wait for. */
const offlineWindow = 20;

test('staff find a customer among many, revoke with a known end, and undo it', async ({
  fieldbook,
  elsewhere,
  browser,
  server,
}) => {
  test.slow();
  await server.postgres.run(
    `INSERT INTO users (id, name, words, parts, external_id, created_at)
     SELECT gen_random_uuid(), 'Customer ' || n, ARRAY['customer', n::text], ARRAY['customer', n::text], 'customer-' || n, now() FROM generate_series(1, 100000) n`,
  );
  await server.postgres.run(
    `INSERT INTO directory (kind, key, user_id) SELECT 'external id', external_id, id FROM users WHERE external_id IS NOT NULL`,
  );
  await server.postgres.run('ANALYZE users, directory');
  const premium = await server.admin<object>('GET', 'plans/premium');
  await server.admin('PUT', 'plans/premium', { ...premium, window: offlineWindow });
  await fieldbook.open();
  await fieldbook.createAccount('Ada');
  await fieldbook.write('First note', 'It works.');
  await fieldbook.startTrial();
  const away = await fieldbook.openOn(elsewhere);
  await away.signIn();

  const context = await browser.newContext();
  const page = await context.newPage();
  const troubles = await watch(context, page);
  const support = new Console(page, server);
  await support.join('Grace', 'support');
  await support.to('Overview');
  const tile = (text: string) => page.getByRole('region', { name: 'Customers' }).getByRole('link', { name: text });
  await expect(tile('Customers')).toHaveText('Customers100,001');
  await expect(tile('Free')).toHaveText('Free100,000');
  await tile('Active').click();
  await expect(support.found).toHaveText(/^Ada.*Trial/);
  await expect(page.getByLabel('State')).toHaveValue('active');
  await page.getByLabel('State').selectOption('all');
  await support.search.fill('customer-77777');
  await expect(support.found).toHaveText([/Customer 77777.*Free/]); // one, also while the list before is still shown
  await support.search.fill('Customer 9999');
  await expect(support.found).toHaveCount(11);
  await support.open('Ada');
  await expect(support.card('holdings')).toContainText('Has paid features');
  await expect(support.subscription).toContainText('A trial runs until');
  await expect(support.card('devices').getByRole('listitem')).toHaveCount(2);

  // One device has just reconciled and has no contact from now on; the other one stays open.
  await away.toAccount();
  await away.checkNow();
  await elsewhere.context().setOffline(true);
  await page.getByRole('button', { name: 'Revoke…' }).click();
  await expect(support.dialog.locator('.promise')).toContainText(
    /Ends everywhere by .* CET at the latest \(in \d+ s\); 2 of 2 devices should hear of it now\./,
  );
  await expect(support.dialog.getByText('Works offline')).toHaveCount(2);
  await support.dialog.getByRole('button', { name: 'Revoke now' }).click();
  await expect(support.dialog).toBeVisible(); // a reason is required
  await support.answer('Revoke now', 'Chargeback, ticket 4711');
  await expect(support.toast).toContainText('Revoked premium of Ada.');

  await fieldbook.expectWithoutPremium('Support has ended this subscription');
  const holders = (state: string) => support.holders.filter({ has: page.getByText(state, { exact: true }) });
  const [told, live, ended] = [holders('Told'), holders('Not told yet'), holders('Ended')];
  await expect(told).toHaveCount(1);
  await expect(live).toHaveCount(1);
  await expect(support.card('devices').getByText('Has been told that it may use nothing')).toHaveCount(1);
  await expect(support.subscription.locator('.promise')).toContainText('1 of 2 devices has been told.');
  await expect(away.headline).toHaveText('Premium is on');
  const left = async () => Number(/\(in (\d+) s\)/.exec((await live.textContent()) ?? '')?.[1] ?? Number.NaN);
  const first = await left();
  await expect.poll(left).toBeLessThan(first);
  await expect(ended).toHaveCount(1, { timeout: (offlineWindow + 10) * 1000 });
  await away.expectWithoutPremium('Connect to renew premium');
  await expect(support.subscription.locator('.promise')).toHaveText('Ended everywhere: no device can use it any more.');

  await page.getByRole('button', { name: 'Reinstate…' }).click();
  await support.answer('Reinstate now', 'Paid after all');
  await expect(support.toast).toContainText('Reinstated premium of Ada.');
  await fieldbook.expectPremium();
  await elsewhere.context().setOffline(false);
  await away.checkNow();
  await expect(away.headline).toHaveText('Premium is on');

  const entries = support.card('trail').getByRole('listitem');
  await expect(entries.nth(0)).toContainText(/Reinstated by Grace.*“Paid after all”.*revoked: yes → no/s);
  await expect(entries.nth(1)).toContainText(/Revoked by Grace.*“Chargeback, ticket 4711”.*revoked: no → yes/s);
  await expect(entries.filter({ hasText: 'Trial started by the customer' })).toHaveCount(1);

  // Other actions of support.
  await page.getByRole('button', { name: 'Grant days…' }).click();
  await support.dialog.getByLabel('Days').fill('30');
  await support.answer('Grant', 'For the trouble');
  await expect(support.toast).toContainText('Ada has premium until');
  await support.toast.getByRole('button', { name: 'Undo…' }).click();
  await expect(support.dialog).toContainText('They keep export, notes by another subscription');
  await support.answer('Revoke now', 'Granted twice');
  await expect(support.subscription.filter({ hasText: 'grant-' })).toContainText('revoked');
  await fieldbook.expectPremium();
  await page.getByRole('button', { name: 'Remove Chrome' }).first().click();
  await support.answer('Remove now', 'Lost on a train');
  await expect(support.card('devices').getByRole('heading')).toHaveText('1 device');
  await expect(page.getByRole('button', { name: 'Remove Chrome' })).toHaveCount(1);
  const removed = support.card('devices').getByRole('listitem').filter({ hasText: 'removed' });
  await expect(removed).toContainText('Counts against the plan’s limit. Frees up');
  await page.getByRole('button', { name: 'Free the place of Chrome' }).click();
  await support.answer('Free place', 'It is at the police');
  await expect(support.card('devices').getByRole('listitem')).toHaveCount(1);
  await page.getByRole('button', { name: 'Sign out everywhere…' }).click();
  await support.dialog.getByLabel('Remove the devices, too').check();
  await support.answer('Sign out now', 'Stolen laptop');
  await expect(support.card('access')).toContainText('Not signed in anywhere');
  await expect(support.card('devices')).toContainText('None is linked');
  // Nothing is left to end.
  await expect(page.getByRole('button', { name: 'Sign out everywhere…' })).toHaveCount(0);
  await page.getByRole('button', { name: 'Recovery link…' }).click();
  await support.answer('Make the link', 'Called back on the known number');
  await expect(support.dialog.getByLabel('One-time link')).toHaveValue(new RegExp(`^${server.origin}/#recover=`));

  expect(troubles()).toEqual([]);
  await context.close();
});

test('a role’s limits hold by URL, by request, and in a page opened before', async ({
  fieldbook,
  elsewhere,
  server,
}) => {
  const { page } = fieldbook;
  const support = new Console(page, server);
  await support.join('Grace', 'support');
  const nav = page.getByRole('navigation', { name: 'Pages' });
  await expect(nav.getByRole('link')).toHaveText(['Overview', 'Customers', 'Gaps', 'Audit', 'Plans', 'Webhooks']);
  await page.goto(`${server.origin}/support#/staff`);
  await expect(page.getByRole('alert')).toContainText('This takes an administrator.');
  await support.to('Plans');
  await expect(page.getByText('premium', { exact: true })).toBeVisible();
  await expect(page.getByRole('button', { name: /Edit|New plan/ })).toHaveCount(0);
  await support.to('Audit');
  await expect(page.getByRole('button', { name: 'Export' })).toHaveCount(0);
  const ask = (method: string, path: string, body?: unknown) =>
    page.evaluate(
      async ([method, path, body]) => {
        const answer = await fetch(`/admin/v1/${path}`, {
          method,
          headers: { 'Content-Type': 'application/json' },
          body,
        });
        return `${answer.status} ${(await answer.json()).code}`;
      },
      [method, path, body === undefined ? null : JSON.stringify(body)] as const,
    );
  const colleague = (await server.staff('invite', '--name', 'Boss', '--role', 'admin')).trim();
  const boss = (await server.user('Boss')).user.id;
  expect(await ask('GET', 'staff')).toBe('403 forbidden');
  expect(await ask('POST', 'staff', { name: 'Eve', role: 'admin', reason: 'mine' })).toBe('403 forbidden');
  expect(await ask('DELETE', `staff/${boss}`, { reason: 'mine' })).toBe('403 forbidden');
  expect(await ask('PUT', 'plans/premium', { features: {} })).toBe('403 forbidden');
  expect(await ask('POST', `users/${boss}/recovery`, { reason: 'mine' })).toBe('403 forbidden');
  expect(await ask('GET', 'audit/export')).toBe('403 forbidden');

  // The support member views the administrator, and may not change their access.
  await support.open('Boss');
  await expect(support.card('access')).toContainText('take an administrator');
  await expect(page.getByRole('button', { name: 'Recovery link…' })).toHaveCount(0);

  const admin = new Console(elsewhere, server);
  await Authenticator.attach(elsewhere);
  await elsewhere.goto(colleague);
  await elsewhere.getByRole('button', { name: 'Create passkey' }).click();
  await admin.to('Audit');
  const [file] = await Promise.all([
    elsewhere.waitForEvent('download'),
    elsewhere.getByRole('button', { name: 'Export as JSON Lines' }).click(),
  ]);
  const exported = (await readFile(await file.path(), 'utf8')).trim().split('\n');
  expect(exported.map((line) => JSON.parse(line).action)).toContain('staff.invited');
  await admin.to('Plans');
  await elsewhere.getByRole('button', { name: 'Edit premium' }).click();
  await admin.dialog.getByLabel('Grace after the paid time').fill('5 days');
  await expect(admin.dialog).toContainText('grace: 3 days → 5 days');
  await server.postgres.run(`UPDATE staff SET role = 'support' WHERE user_id = '${boss}'`);
  await admin.answer('Save for everybody who has it', 'More patience');
  await expect(admin.dialog.getByRole('alert')).toContainText('it takes an administrator');
  await elsewhere.keyboard.press('Escape');
  await expect(elsewhere.getByRole('navigation').getByRole('link', { name: 'Staff' })).toHaveCount(0);
  await expect(elsewhere.getByRole('button', { name: 'Edit premium' })).toHaveCount(0);
  expect((await server.admin<{ grace: number }>('GET', 'plans/premium')).grace).toBe(3 * 86_400);

  // After removal from the staff, every open page is signed out.
  await server.staff('remove', boss);
  const signedOut = expect(elsewhere.getByRole('heading', { name: 'Sign in' })).toBeVisible();
  await Promise.race([signedOut, admin.to('Gaps').catch(() => {})]);
  await signedOut;
  await elsewhere.getByRole('button', { name: 'Sign in with a passkey' }).click();
  await expect(elsewhere.getByRole('heading', { name: 'This is for staff' })).toBeVisible();
});

test('the keyboard alone signs in, searches, revokes and reinstates', async ({ fieldbook, elsewhere, server }) => {
  const customer = await fieldbook.openOn(elsewhere, []);
  await customer.createAccount('Ada');
  await customer.write('First note', 'It works.');
  await customer.startTrial();
  const { page } = fieldbook;
  const support = new Console(page, server);
  await support.join('Grace', 'admin');
  await page.getByRole('button', { name: 'Sign out' }).click();
  await expect(page.getByRole('heading', { name: 'Sign in' })).toBeVisible();

  const { keyboard } = page;
  await reach(page, 'Sign in with a passkey');
  await keyboard.press('Enter');
  await expect(page.getByRole('heading', { name: 'Overview' })).toBeVisible();
  await reach(page, 'Customers');
  await keyboard.press('Enter');
  await expect(support.search).toBeFocused();
  await keyboard.type('ad');
  await keyboard.press('Enter');
  await expect(support.card('holdings')).toBeVisible();
  await reach(page, 'Revoke…');
  await keyboard.press('Enter');
  await expect(support.dialog.getByLabel('Reason')).toBeFocused();
  await keyboard.type('Chargeback');
  await expect(support.dialog.locator('.promise')).toBeVisible();
  await keyboard.press('Enter');
  await customer.expectWithoutPremium('Support has ended this subscription');
  // Focus is not lost: it is on the undo.
  await expect(support.toast.getByRole('button', { name: 'Undo…' })).toBeFocused();
  await keyboard.press('Enter');
  await expect(support.dialog.getByLabel('Reason')).toBeFocused();
  await keyboard.type('Paid after all');
  await keyboard.press('Enter');
  await customer.expectPremium();
  await expect(support.card('trail').getByRole('listitem').first()).toContainText('Reinstated by Grace');

  // A closed dialog returns focus to the element that opened it.
  await reach(page, 'Suspend…');
  await keyboard.press('Enter');
  await expect(support.dialog.getByLabel('Reason')).toBeFocused();
  await keyboard.press('Escape');
  await expect(page.getByRole('button', { name: 'Suspend…' })).toBeFocused();
});

test('a message covers nothing, and leaves by itself once it was read', async ({ fieldbook, server }) => {
  const { page } = fieldbook;
  await page.clock.install();
  const support = new Console(page, server);
  await support.join('Grace', 'admin');
  const id = await support.customer('Ada');
  await server.admin('POST', `users/${id}/grants`, { plan: 'premium', days: 7, reason: 'a gift' });
  await support.open('Ada');
  for (const size of [phone, { width: 1280, height: 800 }]) {
    await page.setViewportSize(size);
    await page.getByRole('button', { name: 'Revoke…' }).click();
    await support.answer('Revoke now', 'Chargeback');
    await expect(support.toast).toContainText('Revoked premium of Ada.');
    for (const shown of [page.getByRole('button', { name: 'Reinstate…' }), support.card('trail')]) {
      // The page may still be growing.
      await expect
        .poll(() =>
          shown.evaluate((element) => {
            element.scrollIntoView({ block: 'end' });
            const message = document.querySelector('.toast')?.getBoundingClientRect();
            return message !== undefined && element.getBoundingClientRect().bottom <= message.top;
          }),
        )
        .toBe(true);
    }

    // It stays while it is read: under the pointer, and with the focus.
    await support.toast.hover();
    await page.clock.fastForward('05:00');
    await page.keyboard.press('F8');
    await expect(support.toast.getByRole('button', { name: 'Undo…' })).toBeFocused();
    await page.mouse.move(0, 0);
    await page.clock.fastForward('05:00');
    await page.keyboard.press('Enter');
    await support.answer('Reinstate now', 'Paid after all');
    await expect(support.toast).toContainText('Reinstated premium of Ada.');
    await page.clock.fastForward('00:05');
    await expect(support.toast).toBeVisible();
    // The focus went to the message, since the button that opened the dialog is gone.
    await page.getByRole('heading', { level: 1 }).click();
    await page.clock.fastForward('01:00');
    await expect(support.toast).toHaveCount(0);
  }
});

test('times are local, with UTC under the pointer, or in UTC throughout; ids are copied', async ({
  fieldbook,
  server,
}) => {
  const { page } = fieldbook;
  await page.context().grantPermissions(['clipboard-read', 'clipboard-write'], { origin: server.origin });
  const support = new Console(page, server);
  await support.join('Grace', 'support');
  const id = await support.customer('Ada', 'ada-1');
  await server.postgres.run(`UPDATE users SET created_at = '2026-01-31T23:30:00Z' WHERE id = '${id}'`);
  await server.admin('PUT', 'subscriptions/sub-1', {
    external_id: 'ada-1',
    plan: 'premium',
    state: 'active',
    paid_through: '2099-07-31T22:30:00Z',
  });
  await support.open('Ada');
  const since = page.locator('.ids time');
  await expect(since).toContainText('1 Feb 2026, 00:30 CET');
  await expect(since).toHaveAttribute('title', '31 Jan 2026, 23:30 UTC');
  const headline = support.card('holdings').locator('.headline');
  await expect(headline).toContainText('1 Aug 2099, 00:30 CEST');
  await expect(headline.locator('[title]')).toHaveAttribute('title', /until 31 Jul 2099, 22:30 UTC/);
  await page.getByRole('button', { name: 'Settings' }).click();
  await support.dialog.getByLabel('In UTC', { exact: true }).check();
  await support.dialog.getByRole('button', { name: 'Done' }).click();
  await expect(since).toContainText('31 Jan 2026, 23:30 UTC');
  await page.reload();
  await expect(headline).toContainText('31 Jul 2099, 22:30 UTC');
  await expect(page.getByText(/CES?T/)).toHaveCount(0);

  for (const [button, copied] of [
    ['Copy the user id', id],
    ['Copy the customer id', 'ada-1'],
    ['Copy the id of this subscription to premium', 'sub-1'],
  ] as const) {
    await page.getByRole('button', { name: button }).click();
    await expect(page.getByText('Copied.')).toHaveCount(1);
    expect(await page.evaluate(() => navigator.clipboard.readText())).toBe(copied);
  }
});

test('notes about a customer are written, kept out of the trail, and deleted', async ({ fieldbook, server }) => {
  const { page } = fieldbook;
  const support = new Console(page, server);
  await support.join('Grace', 'support');
  await support.customer('Ada');
  await support.open('Ada');
  const notes = support.card('notes-about');
  await expect(notes).toContainText('None yet.');
  await notes.getByLabel('New note').fill('Prefers letters.\n<b>Always</b>');
  await notes.getByRole('button', { name: 'Write note' }).click();
  await expect(notes.getByRole('listitem')).toContainText(/Prefers letters\.\s*<b>Always<\/b>.*By Grace/s);
  await expect(notes.getByLabel('New note')).toHaveValue('');
  const entries = support.card('trail').getByRole('listitem');
  await expect(entries.first()).toContainText('Note written by Grace');
  await notes.getByRole('button', { name: /^Delete the note “Prefers letters/ }).click();
  await support.answer('Delete it', 'Out of date');
  await expect(notes).toContainText('None yet.');
  await expect(entries.first()).toContainText(/Note deleted by Grace.*“Out of date”/s);
  await expect(support.card('trail')).not.toContainText('Prefers letters');
});

test('autofill offers a passkey, and the app’s service worker bypasses the console', async ({ fieldbook, server }) => {
  const { page } = fieldbook;
  await page.goto(server.origin);
  await fieldbook.installed();
  const support = new Console(page, server);
  await support.join('Grace', 'support', { autofill: true });
  await page.getByRole('button', { name: 'Sign out' }).click();
  // This test's authenticator answers at once.
  await expect(page.getByRole('heading', { name: 'Overview' })).toBeVisible();
  await server.stop();
  await expect(page.goto(`${server.origin}/support`)).rejects.toThrow('ERR_CONNECTION_REFUSED');
});

test('customer names stay text, and reverse no text direction', async ({ fieldbook, server }) => {
  const { page } = fieldbook; // which reports no trouble: no script of theirs is even attempted
  const names = ['Eve <img src=x onerror=alert(1)>', 'Eve "><script>alert(1)</script>', 'Eve \u202egnp.exe'];
  for (const name of names) {
    await server.postgres.run(
      `WITH made AS (INSERT INTO users (id, name, words, parts, external_id, created_at) VALUES (gen_random_uuid(), $q$${name}$q$, '{eve}', '{eve}', $q$${name}$q$, now()) RETURNING id)
       INSERT INTO sessions (user_id, id, token_hash, user_agent, authenticated_at, last_active_at, expires_at)
       SELECT id, gen_random_uuid(), sha256(id::text::bytea), $q$${name}$q$, now(), now(), now() + interval '1 day' FROM made`,
    );
  }
  const support = new Console(page, server);
  await support.join('Grace <b>Hopper</b>', 'support');
  await expect(page.locator('.who-name')).toHaveText('Grace <b>Hopper</b>');
  for (const name of names) {
    await support.search.fill('eve');
    const shown = name.replace('\u202e', '');
    await support.found.getByText(shown, { exact: true }).first().click();
    await expect(support.card('access')).toContainText(shown);
    await page.getByRole('button', { name: 'Sign out everywhere…' }).click();
    await expect(support.dialog.getByRole('heading')).toHaveText(`Sign ${shown} out everywhere?`);
    await support.answer('Sign out now', name);
    await expect(support.card('trail').getByRole('listitem').first()).toContainText(`“${shown}”`);
    await page.getByRole('link', { name: 'Customers' }).first().click();
  }
});

test('pages follow sign-ins, sign-outs and changes by colleagues', async ({ fieldbook, server }) => {
  const { page } = fieldbook;
  const support = new Console(page, server);
  await support.join('Grace', 'admin');
  const id = '11111111-1111-4111-8111-111111111111';
  await server.postgres.run(
    `INSERT INTO users (id, name, words, parts, created_at) VALUES ('${id}', 'Ada', '{ada}', '{ada}', now())`,
  );
  await support.open('Ada');
  await expect(support.card('holdings')).toContainText('Has no paid features');
  await server.admin('POST', `users/${id}/grants`, { plan: 'premium', days: 7, reason: 'by a colleague' });
  await page.evaluate(() => document.dispatchEvent(new Event('visibilitychange')));
  await expect(support.card('holdings')).toContainText('Has paid features');

  // An existing plan cannot be created again, and an unseen change cannot be overwritten.
  await support.to('Plans');
  await page.getByRole('button', { name: 'New plan…' }).click();
  await support.dialog.getByRole('textbox', { name: /^Id/ }).fill('premium');
  await support.answer('Make the plan', 'A mistake');
  await expect(support.dialog.getByRole('alert')).toContainText('Reload and look again');
  await page.keyboard.press('Escape');
  await page.getByRole('button', { name: 'Edit premium' }).click();
  const premium = await server.admin<{ rank: number; device_limit: number }>('GET', 'plans/premium');
  await server.admin('PUT', 'plans/premium', { ...premium, device_limit: 7 });
  await support.dialog.getByLabel('Rank').fill('99');
  await support.answer('Save for everybody who has it', 'A mistake');
  await expect(support.dialog.getByRole('alert')).toContainText('Reload and look again');
  expect(await server.admin('GET', 'plans/premium')).toMatchObject({ rank: premium.rank, device_limit: 7 });
  await page.keyboard.press('Escape');
  await expect(page.getByText('up to 7 devices')).toBeVisible();

  // Signing out in one tab signs out in all.
  await support.open('Ada');
  const other = await page.context().newPage();
  await other.goto(`${server.origin}/support`);
  await other.getByRole('button', { name: 'Sign out' }).click();
  await expect(page.getByRole('heading', { name: 'Sign in' })).toBeVisible();
  await expect(page.getByText('Ada')).toHaveCount(0);
});

test('a change continues only with its own author’s passkey, and is made once despite a lost answer', async ({
  fieldbook,
  elsewhere,
  server,
}) => {
  const admin = await Authenticator.attach(elsewhere);
  await elsewhere.goto((await server.staff('invite', '--name', 'Boss', '--role', 'admin')).trim());
  await elsewhere.getByRole('button', { name: 'Create passkey' }).click();
  await expect(elsewhere.getByRole('heading', { name: 'Overview' })).toBeVisible();
  const { page } = fieldbook;
  const support = new Console(page, server);
  const own = await Authenticator.attach(page);
  await page.goto((await server.staff('invite', '--name', 'Grace', '--role', 'support')).trim());
  await page.getByRole('button', { name: 'Create passkey' }).click();
  const id = '11111111-1111-4111-8111-111111111111';
  await server.postgres.run(
    `INSERT INTO users (id, name, words, parts, created_at) VALUES ('${id}', 'Ada', '{ada}', '{ada}', now())`,
  );
  const grants = async () =>
    (await server.admin<{ subscriptions: unknown[] }>('GET', `users/${id}`)).subscriptions.length;
  await support.open('Ada');

  let lost = false;
  await page.route('**/grants', async (route) => {
    if (lost) return route.continue();
    lost = true;
    await route.fetch();
    await route.abort();
  });
  await page.getByRole('button', { name: 'Grant days…' }).click();
  await support.dialog.getByLabel('Reason').fill('For the trouble');
  await support.dialog.getByRole('button', { name: 'Grant', exact: true }).dblclick();
  await expect(support.dialog.getByRole('alert')).toContainText('You can safely try again');
  await support.dialog.getByRole('button', { name: 'Grant', exact: true }).click();
  await expect(support.toast).toContainText('Ada has premium until');
  expect(await grants()).toBe(1);

  await support.age('Grace', '11 minutes');
  const keys = await admin.passkeys();
  await own.remove();
  const borrowed = await Authenticator.attach(page);
  await borrowed.sync(keys);
  await page.getByRole('button', { name: 'Grant days…' }).click();
  await support.dialog.getByLabel('Reason').fill('Mine');
  await support.dialog.getByRole('button', { name: 'Grant', exact: true }).click();
  await support.confirmation.getByRole('button', { name: 'Continue with a passkey' }).click();
  await expect(page.locator('.who-name')).toHaveText('Boss');
  expect(await grants()).toBe(1);
});

/** Presses Tab until an element with this name is focused. */
async function reach(page: Page, name: string): Promise<void> {
  for (let presses = 0; presses < 60; presses++) {
    const focused = await page.evaluate(() => document.activeElement?.textContent?.trim() ?? '');
    if (focused.startsWith(name)) return;
    await page.keyboard.press('Tab');
  }
  throw new Error(`Tab does not reach ${name}`);
}
