import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { expect, type Page, type TestInfo } from '@playwright/test';

const axe = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');

export const phone = { width: 390, height: 844 };
const looks = { desktop: { width: 1280, height: 800 }, phone };
const colours = ['color-contrast', 'link-in-text-block'];

/**
 * Checks that the page is accessible and fits the window, at desktop and phone size, in light and dark mode, which differ
 * only in colours. With HOLDFAST_DRILLS=full it also takes screenshots for review.
 */
export async function look(page: Page, info: TestInfo, name: string): Promise<void> {
  await expect(page.getByRole('main')).toBeVisible();
  const before = page.viewportSize() ?? phone;
  for (const [size, viewport] of Object.entries(looks)) {
    await page.setViewportSize(viewport);
    for (const colorScheme of ['light', 'dark'] as const) {
      await page.emulateMedia({ colorScheme });
      await settle(page);
      const look = `${name}-${size}-${colorScheme}`;
      if (process.env.HOLDFAST_DRILLS === 'full') await page.screenshot({ path: info.outputPath(`${look}.png`) });
      expect.soft(await violations(page, colorScheme === 'light' ? undefined : colours), look).toEqual([]);
    }
    expect.soft(await overflow(page), `${name}: wider than the window`).toBeLessThanOrEqual(0);
    expect.soft(await cutOff(page), `${name}: cut off by the window`).toEqual([]);
  }
  await page.emulateMedia({ colorScheme: 'light' });
  await page.setViewportSize(before);
}

/** Lets transitions end, since contrast is measured as painted. */
async function settle(page: Page): Promise<void> {
  await page.evaluate(() =>
    Promise.all(document.getAnimations().map((animation) => animation.finished.catch(() => {}))),
  );
}

async function overflow(page: Page): Promise<number> {
  return page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
}

/** The controls that lie beyond the window's edge and cannot be scrolled into view; they do not make the page wider. */
async function cutOff(page: Page): Promise<string[]> {
  return page.evaluate(() =>
    [...document.querySelectorAll<HTMLElement>('a, button, input, select, textarea, summary')]
      .filter((control) => {
        const { left, right, width } = control.getBoundingClientRect();
        if (width < 2 || !control.checkVisibility({ visibilityProperty: true, opacityProperty: true })) return false;
        return left < -1 || right > document.documentElement.clientWidth + 1;
      })
      .map((control) => control.outerHTML.slice(0, 120)),
  );
}

/** The findings of axe, by all or some of its rules. */
async function violations(page: Page, rules?: readonly string[]): Promise<string[]> {
  if (!(await page.evaluate(() => 'axe' in window))) await page.evaluate(axe);
  return page.evaluate(async (rules) => {
    const { axe } = window as unknown as {
      axe: {
        run(options: object): Promise<{
          violations: { id: string; help: string; nodes: { html: string; failureSummary?: string }[] }[];
        }>;
      };
    };
    const { violations } = await axe.run(rules ? { runOnly: rules } : {});
    return violations.flatMap(({ id, nodes }) => nodes.map((node) => `${id}: ${node.html} ${node.failureSummary}`));
  }, rules);
}
