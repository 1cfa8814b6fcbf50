import type { Page } from '@playwright/test';
import { expect, test } from './support/test.ts';

/** About a kilobyte of made-up words: a few in every note, most in some. */
function prose(n: number): string {
  const word = (of: number) =>
    (of * 7919 + 97).toString(26).replace(/\d/g, (digit) => 'aeiouéstrn'[Number(digit)] ?? '');
  const rarity = (at: number) => 2 ** (at % 12);
  return Array.from({ length: 170 }, (_, at) => word(rarity(at) + ((n * 31 + at) % rarity(at)))).join(' ');
}

test('5,000 notes are as quick to search, list, export and change as a few', async ({ fieldbook, page }) => {
  await fieldbook.open();
  await fieldbook.createAccount('Ada');
  await fieldbook.write('Heading', '');
  await fieldbook.startTrial();
  await fieldbook.toNotes();
  await fieldbook.fill(5000, (n) => `${prose(n)} heron${n}`);
  await expect(page.getByText('5,001 notes', { exact: true })).toBeVisible();

  const { cost, pass } = await keystroke(page, 'heron4321');
  console.log(`search in 5,000 notes: ${cost.toFixed(1)} ms for a keystroke, ${pass.toFixed(1)} for a bare pass`);
  expect(cost).toBeLessThan(16 * Math.max(1, pass / 2));
  await expect(fieldbook.notes).toHaveCount(1);
  await expect(fieldbook.note('Entry 4321')).toBeVisible();

  await test.step('renders only visible rows, down to the last note', async () => {
    await page.getByRole('searchbox').fill('');
    const list = page.getByRole('region', { name: 'Notes' });
    expect(await fieldbook.notes.count()).toBeLessThan(60);
    await expect(fieldbook.note('Entry 4999')).toBeInViewport();
    await list.evaluate((view) => view.scrollTo(0, view.scrollHeight));
    await expect(fieldbook.note('Entry 0')).toBeInViewport();
    expect(await fieldbook.notes.count()).toBeLessThan(60);
    await expect(fieldbook.notes.last()).toHaveAttribute('aria-posinset', '5001');
  });

  await test.step('Tab moves beyond the rendered rows', async () => {
    await page.getByRole('region', { name: 'Notes' }).evaluate((view) => view.scrollTo(0, 0));
    await fieldbook.note('Entry 4999').focus();
    for (let presses = 0; presses < 100; presses++) await page.keyboard.press('Tab');
    await expect(fieldbook.note('Entry 4899')).toBeFocused();
    await expect(fieldbook.note('Entry 4899')).toBeInViewport();
  });

  await test.step('a long export shows progress, can be cancelled, and is complete in the end', async () => {
    await fieldbook.toAccount();
    const card = page.locator('section[aria-labelledby=export]');
    const bar = page.getByRole('progressbar', { name: 'Export' });
    const size = await card.boundingBox();
    // Done in the page: observed from outside, the export may be over before the answer arrives. Each reading of the clock
    // is 50 ms later, so that the export takes long on any machine.
    const seen = await card.evaluate(async (card) => {
      const [button] = card.getElementsByTagName('button');
      let now = performance.now();
      performance.now = () => {
        now += 50;
        return now;
      };
      button?.click();
      return new Promise<{ value: number; max: number; height: number; says: string }>((resolve) => {
        const watch = new MutationObserver(() => {
          const [bar] = card.getElementsByTagName('progress');
          if (!bar) return;
          watch.disconnect();
          const { value, max } = bar;
          resolve({ value, max, height: card.getBoundingClientRect().height, says: button?.innerText ?? '' });
          button?.click();
          Reflect.deleteProperty(performance, 'now'); // the browser's own is on the prototype
        });
        watch.observe(card, { childList: true, subtree: true });
      });
    });
    expect(seen).toMatchObject({ max: 5001, height: size?.height });
    expect(seen.value).toBeLessThan(5001);
    expect(seen.says.trim()).toBe('Cancel');
    await expect(card.getByRole('status')).toHaveText('Cancelled.');
    await expect(bar).toBeHidden();

    const { text } = await fieldbook.download();
    expect(text.match(/^## /gm)).toHaveLength(5001);
    await expect(card.getByRole('status')).toHaveText('5,001 notes exported.');
  });

  await test.step('an edited note moves to the top at once', async () => {
    await fieldbook.note('Entry 4899').click();
    await fieldbook.text.fill('Heron');
    await page.getByRole('region', { name: 'Notes' }).evaluate((view) => view.scrollTo(0, 0));
    await expect(fieldbook.notes.first()).toContainText('Heron');
  });
});

/**
 * Types into the search as a user would, and returns the page's processor time in milliseconds for a keystroke, including
 * rendering, and for one bare pass over texts of the same size. Other load on the machine does not count.
 */
async function keystroke(page: Page, query: string): Promise<{ cost: number; pass: number }> {
  const cdp = await page.context().newCDPSession(page);
  await cdp.send('Performance.enable', { timeDomain: 'threadTicks' });
  const spent = async () => {
    const { metrics } = await cdp.send('Performance.getMetrics');
    return 1000 * (metrics.find(({ name }) => name === 'TaskDuration')?.value ?? Number.NaN);
  };
  // The page's automatic work after opening has finished.
  let before = Number.NEGATIVE_INFINITY;
  const since = async () => {
    const [from, to] = [before, await spent()];
    before = to;
    return to - from;
  };
  await expect.poll(since, { intervals: [500] }).toBeLessThan(10);

  const keys = 5 * query.length;
  const begun = await spent();
  await page.getByRole('searchbox', { name: 'Search notes' }).evaluate(
    async (input, { query, keys }) => {
      for (let key = 0; key < keys; key++) {
        (input as HTMLInputElement).value = query.slice(0, 1 + (key % query.length));
        input.dispatchEvent(new InputEvent('input', { bubbles: true }));
        await new Promise((drawn) => requestAnimationFrame(() => setTimeout(drawn)));
      }
    },
    { query, keys },
  );
  const typed = await spent();
  const texts = Array.from({ length: 100 }, (_, n) => prose(n));
  await page.evaluate(
    async ({ texts, keys }) => {
      for (let key = 0; key < keys; key++) {
        for (let at = 0; at < 5000; at++) texts[at % texts.length]?.includes('nowhere');
        await new Promise((passed) => setTimeout(passed));
      }
    },
    { texts, keys },
  );
  return { cost: (typed - begun) / keys, pass: ((await spent()) - typed) / keys };
}
