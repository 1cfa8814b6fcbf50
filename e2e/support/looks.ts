import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { expect, type Page, type TestInfo } from '@playwright/test';

const axe = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');

export const phone = { width: 390, height: 844 };
const looks = { desktop: { width: 1280, height: 800 }, phone };
/** The desktop's window at 200 % zoom. */
const zoomed = { width: 640, height: 400 };
const full = process.env.HOLDFAST_DRILLS === 'full';
const colours = ['color-contrast', 'link-in-text-block'];

/**
 * Checks that the page is accessible and fits the window, at desktop and phone size and at 200 % zoom, in light and dark mode,
 * which differ only in colours. With HOLDFAST_DRILLS=full it also takes screenshots for review, one in forced colours.
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
      if (full) await page.screenshot({ path: info.outputPath(`${look}.png`) });
      expect.soft(await violations(page, colorScheme === 'light' ? undefined : colours), look).toEqual([]);
    }
    await fits(page, `${name}-${size}`);
  }
  await page.emulateMedia({ colorScheme: 'light' });
  await page.setViewportSize(zoomed);
  await fits(page, `${name}-zoomed`);
  if (full) {
    await page.screenshot({ path: info.outputPath(`${name}-zoomed.png`) });
    await page.emulateMedia({ forcedColors: 'active' });
    await page.setViewportSize(looks.desktop);
    await page.screenshot({ path: info.outputPath(`${name}-forced-colours.png`) });
    await page.emulateMedia({ forcedColors: 'none' });
  }
  await page.setViewportSize(before);
}

/** Lets transitions end, since contrast is measured as painted. */
async function settle(page: Page): Promise<void> {
  await page.evaluate(() =>
    Promise.all(document.getAnimations().map((animation) => animation.finished.catch(() => {}))),
  );
}

async function fits(page: Page, look: string): Promise<void> {
  expect.soft(await overflow(page), `${look}: wider than the window`).toBeLessThanOrEqual(0);
  expect.soft(await cutOff(page), `${look}: cut off by the window`).toEqual([]);
}

/** By how much the page, or a part of it that scrolls by itself, is wider than its place. */
async function overflow(page: Page): Promise<number> {
  return page.evaluate(() =>
    Math.max(
      ...[document.documentElement, ...document.querySelectorAll('.scroller, dialog[open]')].map(
        ({ scrollWidth, clientWidth }) => scrollWidth - clientWidth,
      ),
    ),
  );
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
