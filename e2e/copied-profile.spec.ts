import { Fieldbook } from './support/fieldbook.ts';
import { claimsOf, signerOf } from './support/jws.ts';
import { expect, test } from './support/test.ts';

/**
 * The order in which the original and its copy reconcile: at the end, one of them has reconciled twice after both had once.
 */
const orders = {
  'the original is far ahead of its copy': ['original', 'original', 'copy', 'copy'],
  'both take turns': ['original', 'copy', 'original', 'copy'],
} as const;

for (const [what, order] of Object.entries(orders)) {
  test(`a profile copied with the browser closed is detected: ${what}`, async ({ server, profiles }) => {
    const folder = await profiles.make();
    const before = await profiles.open(folder);
    const first = new Fieldbook(await before.newPage(), server.origin);
    await first.open();
    await first.createAccount('Ada');
    await first.write('Kept', 'Still here');
    await first.startTrial();
    await first.installed();
    const passkeys = await first.passkeys();
    const { id: device } = await first.held<{ id: string }>('device');
    const document = await first.held<string>('document');
    await before.close();

    const folders = { original: folder, copy: await profiles.copy(folder) };
    const apps: { [name in keyof typeof folders]?: Fieldbook } = {};

    /** Opens or reopens the profile, which reconciles. Returns the document that it then holds. */
    const meet = async (name: keyof typeof folders): Promise<string> => {
      let app = apps[name];
      let held = document;
      if (app) {
        held = await app.held<string>('document');
        await app.page.reload();
      } else {
        app = new Fieldbook(await (await profiles.open(folders[name])).newPage(), server.origin);
        apps[name] = app;
        await app.open(passkeys);
      }
      await expect.poll(() => app.held<string>('document')).not.toBe(held);
      return app.held<string>('document');
    };

    let caught: keyof typeof folders | undefined;
    for (const name of order) {
      const taken = await meet(name);
      if (claimsOf(taken).reason !== 'device_forked') {
        expect(claimsOf(taken)).toMatchObject({ device, state: 'active' });
        continue;
      }
      expect(claimsOf(taken)).toMatchObject({ device, state: 'revoked', features: {} });
      expect(signerOf(taken)).toBe((await server.signingKey()).kid);
      caught = name;
      break;
    }
    const app = caught && apps[caught];
    if (!app) throw new Error('both have reconciled twice');
    expect(await server.trail('Ada')).toContain('device.forked');
    expect((await server.user('Ada')).devices).toMatchObject([{ id: device, quarantined: true }]);

    await test.step('reports the copy, and keeps the notes', async () => {
      expect(await app.read('Kept')).toBe('Still here');
      await app.toAccount();
      await app.expectWithoutPremium('This device has to be linked again');
    });

    await test.step('the other one reports it at its next contact', async () => {
      const other = apps[caught === 'copy' ? 'original' : 'copy'];
      if (!other) throw new Error('only one has been opened');
      await other.page.reload(); // unless the server has pushed that already
      await expect.poll(async () => claimsOf(await other.held<string>('document')).reason).toBe('device_forked');
    });

    await test.step('links again with one tap', async () => {
      await app.plan.getByRole('button', { name: 'Sign in with a passkey' }).click();
      await app.expectPremium();
      expect((await app.held<{ id: string }>('device')).id).not.toBe(device);
      expect(await app.checkNow()).toBe('Up to date.');
      await app.expectPremium();
      expect(await app.read('Kept')).toBe('Still here');
    });
  });
}
