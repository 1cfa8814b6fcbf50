import { createHash } from 'node:crypto';
import type { Page } from '@playwright/test';
import { Authenticator } from './support/authenticator.ts';
import { OwnApp } from './support/own-app.ts';
import { type Opened, Recorder } from './support/recorder.ts';
import { Server } from './support/server.ts';
import { ServiceWorker } from './support/service-worker.ts';
import { expect, test } from './support/test.ts';

const acts = process.env.HOLDFAST_DRILLS === 'full' ? 50_000 : 1_000;

/** The most that the server's memory may grow by: a batch is small, and each is forgotten. */
const growth = 96 * 2 ** 20;

/** The longest that the page's thread may be kept from the user's next action, in milliseconds. */
const longest = 500;

test(`${acts} acts recorded offline go up while the page is used, and when it is closed`, async ({ page, context }) => {
  test.setTimeout(180_000 + acts * 40);
  const app = await OwnApp.serve();
  const server = await Server.launch(undefined, ['--allow-origin', app.origin]);
  let begun = performance.now();
  /** The time since the last call. */
  const seconds = () => {
    const took = (performance.now() - begun) / 1000;
    begun = performance.now();
    return took.toFixed(1);
  };
  try {
    app.addWorker(server.origin, await server.keys('roots'));
    await Authenticator.attach(page);
    const recorder = new Recorder(page, app, server);
    await recorder.open();
    await page.evaluate(async () => {
      await navigator.serviceWorker.register('/sw.js', { type: 'module', updateViaCache: 'none' });
      await navigator.serviceWorker.ready;
    });
    await server.subscribe('Ada', 'premium', new Date(Date.now() + 30 * 86_400_000));
    await recorder.granted('export');
    const worker = await ServiceWorker.of(context, app.origin);
    const { user } = await server.user('Ada');

    await server.stop();
    const pausesOf = await watchPauses(page);
    seconds();
    await recorder.record(acts);
    console.log(`${acts} acts recorded offline in ${seconds()} s; longest pause of the page ${await pausesOf()} ms`);
    const texts = await recorder.waiting();
    expect(texts.length).toBe(acts);
    await page.evaluate(() => {
      const { hf } = (window as unknown as { opened: Opened }).opened;
      const progress: number[] = [];
      hf.subscribe(() => progress.push(hf.ledger?.waiting ?? 0));
      Object.assign(window, { progress });
    });

    const memory = async () => {
      const metrics = await (await fetch(`${server.ops}/metrics`)).text();
      return Number(/^process_resident_memory_bytes (\S+)$/m.exec(metrics)?.[1]);
    };
    await server.start();
    const before = await memory();
    let most = before;
    const watching = setInterval(async () => {
      most = Math.max(most, await memory().catch(() => 0));
    }, 200);
    const half = acts / 2;
    await pausesOf();
    seconds();

    void recorder.upload().catch(() => {}); // the page is closed meanwhile
    await page.waitForFunction(
      (half) => ((window as unknown as { progress: number[] }).progress.at(-1) ?? Number.POSITIVE_INFINITY) <= half,
      half,
      { timeout: 0 },
    );
    const [pause, progress] = [
      await pausesOf(),
      await page.evaluate(() => (window as unknown as { progress: number[] }).progress),
    ];
    console.log(
      `half of them uploaded in ${seconds()} s, shown in ${progress.length} steps; longest pause ${pause} ms`,
    );
    await page.close();
    expect(pause).toBeLessThan(longest);
    expect(progress.length).toBeGreaterThanOrEqual(half / 100);
    expect(progress).toEqual(progress.toSorted((a, b) => b - a));

    await worker.sync('holdfast-reconcile');
    const feed = async (after: number, limit: number) => {
      const { actions } = await server.admin<{ actions: { id: string; position: number }[] }>(
        'GET',
        `users/${user.id}/actions?after=${after}&limit=${limit}`,
      );
      return actions;
    };
    await expect.poll(() => feed(acts - 1, 1), { timeout: 0 }).toHaveLength(1);
    clearInterval(watching);
    console.log(
      `the rest by the worker in ${seconds()} s; the server grew by ${((most - before) / 2 ** 20).toFixed(0)} MiB`,
    );
    expect(most - before).toBeLessThan(growth);

    const stored: { id: string; position: number }[] = [];
    while (stored.length < acts) stored.push(...(await feed(stored.length, 100)));
    expect(stored.map(({ position }) => position)).toEqual(texts.map((_, at) => at + 1));
    expect(stored.map(({ id }) => id)).toEqual(
      texts.map((text) => createHash('sha256').update(text).digest('base64url')),
    );
    const again = new Recorder(await context.newPage(), app, server);
    await again.open();
    await expect.poll(() => again.upload()).toEqual({ waiting: 0, refused: 0 });
  } finally {
    await server.dispose();
    app.close();
  }
});

/** Returns the longest time between two turns of the page's thread since the last call, in milliseconds. */
async function watchPauses(page: Page): Promise<() => Promise<number>> {
  await page.evaluate(() => {
    const pauses = { longest: 0 };
    const { port1, port2 } = new MessageChannel();
    let last = performance.now();
    port1.onmessage = () => {
      const now = performance.now();
      pauses.longest = Math.max(pauses.longest, now - last);
      last = now;
      setTimeout(() => port2.postMessage(null), 4);
    };
    port2.postMessage(null);
    Object.assign(window, { pauses });
  });
  return () =>
    page.evaluate(() => {
      const { pauses } = window as unknown as { pauses: { longest: number } };
      const { longest } = pauses;
      pauses.longest = 0;
      return Math.round(longest);
    });
}
