import { fileURLToPath } from 'node:url';
import { type CDPSession, expect, type Page, test } from '@playwright/test';
import { Authenticator } from '../support/authenticator.ts';
import { Server } from '../support/server.ts';

const pages = fileURLToPath(new URL('../../web/sdk/dist/bench', import.meta.url));
const rounds = 60;
const limit = 1.5;

/**
 * The offline decision: from the start of the service worker until has() answers, against a page that only does one raw
 * WebCrypto verification. Both come from the same worker, which is stopped before each; the server is down. They take
 * turns in one run, so that whatever else the machine does falls on both.
 */
test('offline decision', async ({ page }) => {
  const server = await Server.launch(undefined, ['--app', pages]);
  await server.putPlan();
  try {
    await Authenticator.attach(page);
    await page.goto(server.origin);
    expect(await told(page)).toMatchObject({ answer: true });
    await server.stop();

    const browser = await page.context().browser()?.newBrowserCDPSession();
    if (!browser) throw new Error('no browser');
    const cdp = await page.context().newCDPSession(page);
    await cdp.send('ServiceWorker.enable');
    const took: Record<'sdk' | 'raw', number[]> = { sdk: [], raw: [] };
    for (let round = -3; round < rounds; round++) {
      for (const name of round % 2 ? (['sdk', 'raw'] as const) : (['raw', 'sdk'] as const)) {
        const one = await measure(page, cdp, `${server.origin}/${name}.html`);
        // The first rounds fill the browser's caches of compiled code.
        if (round >= 0) took[name].push(one);
      }
    }

    const ratio = median(took.sdk) / median(took.raw);
    for (const [name, times] of Object.entries(took)) {
      console.log(
        `offline decision, ${name}: median ${median(times).toFixed(1)} ms, least ${Math.min(...times).toFixed(1)} ms`,
      );
    }
    console.log(`offline decision: ${ratio.toFixed(2)} times a raw verification; at most ${limit}`);
    expect(ratio).toBeLessThanOrEqual(limit);
  } finally {
    await server.dispose();
  }
});

async function measure(page: Page, cdp: CDPSession, url: string): Promise<number> {
  await cdp.send('ServiceWorker.stopAllWorkers');
  await page.goto(url);
  const { answer, took } = await told(page);
  expect(answer).toBe(true);
  return took;
}

async function told(page: Page): Promise<{ answer: boolean; took: number }> {
  const found = await page.waitForFunction(() => (window as { told?: { answer: boolean; took: number } }).told);
  return (await found.jsonValue()) as { answer: boolean; took: number };
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[values.length >> 1] ?? Number.NaN;
}
