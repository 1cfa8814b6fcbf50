import { fileURLToPath } from 'node:url';
import { Console } from './support/console.ts';
import { expect, test } from './support/test.ts';

/**
 * Takes the screenshots for the manifest and the README from the running app; `npm run screenshots`, after `make build`. Not
 * part of the tests, since screenshots change with every font.
 */
const folder = fileURLToPath(new URL('../web/app/public/screenshots/', import.meta.url));
const readme = fileURLToPath(new URL('screenshots/fieldbook-offline.png', import.meta.url));
const readmeConsole = fileURLToPath(new URL('screenshots/support-revoke.png', import.meta.url));

const notes = [
  ['First note', 'It works without the network.'],
  ['Train home', '17:42 from the halt; it stops on request.'],
  ['Boat', 'Paint in April, not in May.'],
  ['Ringing list', 'Reed warbler 4\nSedge warbler 2\nBearded tit 1'],
  ['Pond depth', '0.9 m at the reed, 1.4 m at the jetty.'],
  ['Questions for the warden', 'Why is the east path closed until August?'],
  ['Moth trap', 'Elephant hawk-moth, two.\nOne that nobody knew: photograph on the camera, card 3.'],
  ['Seeds to order', 'Borage\nYarrow\nCommon vetch'],
  [
    'Marsh walk, Sunday',
    'Two curlews at the sluice, one calling. Tide going out, wind from the north-east, light.\n\nSpoonbills: 7, far side of the lagoon, asleep as ever.\n\nThe new hide faces the wrong way for the morning, but the bench is dry.',
  ],
] as const;

for (const [form, viewport, deviceScaleFactor] of [
  ['wide', { width: 1280, height: 800 }, 1],
  ['narrow', { width: 390, height: 844 }, 1.5],
] as const) {
  test.describe(form, () => {
    test.use({ viewport, deviceScaleFactor, colorScheme: 'light' });

    test(form, async ({ fieldbook, page, server }) => {
      await fieldbook.open();
      await fieldbook.createAccount('Ada');
      for (const [title, text] of notes) await fieldbook.write(title, text);
      await fieldbook.startTrial();
      await page.reload();
      const shoot = async (path: string) => {
        await page.evaluate(() => document.fonts.ready);
        await page.screenshot({ path, animations: 'disabled', caret: 'hide' });
      };
      await expect(page.getByText('No other device is linked')).toBeAttached();
      await shoot(`${folder}${form}-account.png`);
      await fieldbook.toNotes();
      if (form === 'narrow') await shoot(`${folder}${form}-list.png`);
      await fieldbook.note('Marsh walk, Sunday').click();
      await shoot(`${folder}${form}-note.png`);
      if (form === 'wide') {
        await fieldbook.installed();
        await server.stop();
        await fieldbook.toAccount();
        await page.reload();
        await fieldbook.expectPremium();
        await expect(fieldbook.line).toContainText('out of reach');
        await shoot(readme);
      }
    });
  });
}

test.describe('console', () => {
  test.use({ viewport: { width: 1040, height: 700 }, colorScheme: 'light' });

  test('console', async ({ fieldbook, elsewhere, browser, server }) => {
    await fieldbook.open();
    await fieldbook.createAccount('Ada Lovelace');
    await fieldbook.write('First note', 'It works without the network.');
    await fieldbook.startTrial();
    const second = await fieldbook.openOn(elsewhere);
    await second.signIn();
    const context = await browser.newContext({ viewport: { width: 1040, height: 700 }, colorScheme: 'light' });
    const support = new Console(await context.newPage(), server);
    await support.join('Grace', 'support');
    await support.open('Ada');
    await support.page.getByRole('button', { name: 'Revoke…' }).click();
    await support.dialog.getByLabel('Reason').fill('Chargeback, ticket 4711');
    await expect(support.dialog.locator('.promise')).toContainText('Ends everywhere by');
    await support.page.screenshot({ path: readmeConsole, animations: 'disabled', caret: 'hide' });
    await context.close();
  });
});
