import { claimsOf } from './support/jws.ts';
import { expect, test } from './support/test.ts';

test('offline, premium ends at the end of the document', async ({ fieldbook, server, page }) => {
  await fieldbook.open();
  await fieldbook.createAccount('Ada');
  await fieldbook.write('Kept', 'Readable for ever');
  await fieldbook.startTrial();
  await fieldbook.installed();
  const { exp } = claimsOf(await fieldbook.held<string>('document'));
  await server.stop();

  // A minute before and after the end: the page corrects its clock by the known difference from the server's.
  await page.clock.install({ time: (exp - 60) * 1000 });
  await page.reload();
  await fieldbook.expectPremium();

  await page.clock.setSystemTime((exp + 60) * 1000);
  await page.reload();
  await fieldbook.expectWithoutPremium('Connect to renew premium');
  await expect(fieldbook.line).toContainText('Premium is paused');
  expect(await fieldbook.read('Kept')).toBe('Readable for ever');

  // Setting the clock back does not restore premium once the page has been open for ten minutes.
  const mark = async () => {
    await page.clock.fastForward(61_000);
    return (await fieldbook.held<{ mark: number }>('time')).mark;
  };
  await expect.poll(mark, { intervals: [100], timeout: 60_000 }).toBeGreaterThan(exp * 1000);
  await page.clock.setSystemTime((exp - 86_400) * 1000);
  await page.reload();
  await fieldbook.toAccount();
  await fieldbook.expectWithoutPremium('Connect to renew premium');

  // The server's time does restore it, whatever the clock says.
  await server.start();
  expect(await fieldbook.checkNow()).toBe('Up to date.');
  await fieldbook.expectPremium();
});

test('premium ends while the page stays open', async ({ fieldbook, server, page }) => {
  await page.clock.install();
  await fieldbook.open();
  await fieldbook.createAccount('Ada');
  await fieldbook.write('Kept', '');
  await fieldbook.startTrial();
  const { exp } = claimsOf(await fieldbook.held<string>('document'));
  await server.stop();

  const left = exp * 1000 - (await page.evaluate(() => Date.now()));
  await page.clock.fastForward(left + 60_000);
  await fieldbook.expectWithoutPremium('Connect to renew premium');
});
