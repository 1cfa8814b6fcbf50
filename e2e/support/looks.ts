import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { expect, type Page, type TestInfo } from '@playwright/test';

const axe = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');

export const looks = {
  desktop: { width: 1280, height: 800 },
  phone: { width: 390, height: 844 },
};

/** Takes a picture of the page to be looked at, and checks what can be checked of it: accessibility, and that it fits the window. */
export async function look(page: Page, info: TestInfo, name: string): Promise<void> {
  await settle(page);
  await page.screenshot({ path: info.outputPath(`${name}.png`) });
  expect.soft(await violations(page), name).toEqual([]);
  expect.soft(await overflow(page), `${name}: wider than the window`).toBeLessThanOrEqual(0);
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

async function violations(page: Page): Promise<string[]> {
  await page.evaluate(axe);
  return page.evaluate(async () => {
    const { axe } = window as unknown as {
      axe: {
        run(): Promise<{
          violations: { id: string; help: string; nodes: { html: string; failureSummary?: string }[] }[];
        }>;
      };
    };
    const { violations } = await axe.run();
    return violations.flatMap(({ id, nodes }) => nodes.map((node) => `${id}: ${node.html} ${node.failureSummary}`));
  });
}
