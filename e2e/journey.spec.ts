import { Fieldbook } from './support/fieldbook.ts';
import { claimsOf } from './support/jws.ts';
import { expect, test, watch } from './support/test.ts';

test('from a new account through an offline restart to a revocation and back', async ({ server, profiles }) => {
  const profile = await profiles.make();
  const openBrowser = async () => {
    const context = await profiles.open(profile);
    const page = context.pages()[0] ?? (await context.newPage());
    return { context, page, troubles: await watch(context, page), app: new Fieldbook(page, server.origin) };
  };
  const first = await openBrowser();
  const { app, page } = first;
  await app.open();

  await test.step('creates an account with a passkey', () => app.createAccount('Ada'));

  await test.step('the free plan holds ten notes', async () => {
    for (let n = 1; n <= 10; n++) await app.write(`Note ${n}`, `Text of note ${n}`);
    await expect(page.getByText('10 of 10 notes')).toBeVisible();
    await app.newNote.click();
    await expect(page.getByRole('alert').filter({ hasText: 'the free plan allows 10' })).toBeVisible();
    await expect(app.notes).toHaveCount(10);
    await app.toAccount();
    await expect(app.export).toBeDisabled();
  });

  await test.step('the trial unlocks the eleventh note and the export', async () => {
    await app.startTrial();
    await app.write('Note 11', 'Premium text');
    await expect(page.getByText('11 notes')).toBeVisible();
    await app.toAccount();
    const { name, text } = await app.download();
    expect(name).toMatch(/^fieldbook-\d{4}-\d\d-\d\d\.md$/);
    for (let n = 1; n <= 10; n++) expect(text).toContain(`Text of note ${n}`);
    expect(text).toContain('## Note 11');
    expect(text).toContain('Premium text');
  });

  await test.step('with the server stopped, premium works, and the page says until when', async () => {
    await app.installed();
    await server.stop();
    await page.reload();
    await app.expectPremium();
    await expect(app.line).toContainText('The server is out of reach. Premium until');
    await expect(app.plan.getByText('Works offline until')).toBeVisible();
    await expect(app.plan.getByText('Next check due')).toBeVisible();
    await app.write('Note 12', 'Written offline');
    await app.toAccount();
    expect((await app.download()).text).toContain('Written offline');
    await page.goto(`${server.origin}/#/security`);
    await expect(page.getByRole('region', { name: 'Passkeys and sessions' })).toContainText('which is out of reach');
  });
  expect(first.troubles()).toEqual([]);

  await test.step('also after a restart of the browser', async () => {
    await first.context.close();
    const again = await openBrowser();
    await again.page.goto(`${server.origin}/#/account`);
    await again.app.expectPremium();
    await expect(again.app.line).toContainText('Premium until');
    expect(await again.app.read('Note 12')).toBe('Written offline');

    await test.step('a revocation locks premium at the next contact, and the notes stay', async () => {
      await server.start();
      const held = claimsOf(await again.app.held<string>('document'));
      const { offline_until } = await server.support('revoke', 'Ada');
      expect(offline_until).not.toBeNull();
      expect(Date.parse(offline_until ?? '')).toBeGreaterThanOrEqual(held.exp * 1000);

      await again.page.goto(`${server.origin}/#/account`);
      await again.page.reload();
      await again.app.expectWithoutPremium('Support has ended this subscription');
      await expect(again.app.plan).toContainText('write to support');
      await expect(again.app.line).toContainText('Premium has ended');
      expect(await again.app.read('Note 12')).toBe('Written offline');
      await expect(again.app.notes).toHaveCount(12);
      await again.app.newNote.click();
      await expect(again.page.getByRole('alert').filter({ hasText: 'allows 10' })).toBeVisible();
    });

    await test.step('a reinstatement restores premium', async () => {
      await server.support('reinstate', 'Ada');
      await again.app.toAccount();
      expect(await again.app.checkNow()).toBe('Up to date.');
      await again.app.expectPremium();
      await again.app.write('Note 13', 'Back again');
    });
    expect(again.troubles()).toEqual([]);
  });
});
