import type { Page } from '@playwright/test';
import { Authenticator } from './support/authenticator.ts';
import { OwnApp } from './support/own-app.ts';
import { Server } from './support/server.ts';
import { expect, test } from './support/test.ts';

type Sdk = typeof import('../web/sdk/src/index.ts');
type LedgerModule = typeof import('../web/sdk/src/ledger.ts');
type Opened = { hf: Awaited<ReturnType<Sdk['openHoldfast']>>; ledger: Awaited<ReturnType<LedgerModule['openLedger']>> };

/** A page of an own app that records what its user does. */
class Recorder {
  readonly page: Page;
  readonly app: OwnApp;
  readonly server: Server;

  constructor(page: Page, app: OwnApp, server: Server) {
    this.page = page;
    this.app = app;
    this.server = server;
  }

  async open(): Promise<void> {
    await this.page.goto(this.app.origin);
    const roots = JSON.parse(await this.server.keys('roots'));
    await this.page.evaluate(
      async ({ origin, roots }) => {
        const { openHoldfast }: Sdk = await import('/sdk.js' as string);
        const { openLedger }: LedgerModule = await import('/ledger.js' as string);
        const hf = await openHoldfast({ origin, roots });
        if (!hf.user) await hf.register('Ada');
        Object.assign(window, { opened: { hf, ledger: await openLedger(hf) } });
      },
      { origin: this.server.origin, roots },
    );
  }

  /** Until the page's document grants the feature. */
  async granted(feature: string): Promise<void> {
    await expect
      .poll(() =>
        this.page.evaluate(async (feature) => {
          const { hf } = (window as unknown as { opened: Opened }).opened;
          await hf.reconcile().catch(() => {});
          return hf.has(feature);
        }, feature),
      )
      .toBe(true);
  }

  record(count: number): Promise<void> {
    return this.page.evaluate(async (count) => {
      const { ledger } = (window as unknown as { opened: Opened }).opened;
      for (let n = 1; n <= count; n++) await ledger.record('export', 'export.run', { n });
    }, count);
  }

  /** The numbers of acts that wait and that were refused, after a try to upload them. */
  async upload(): Promise<{ waiting?: number; refused?: number }> {
    return this.page.evaluate(async () => {
      const { hf } = (window as unknown as { opened: Opened }).opened;
      await hf.reconcile().catch(() => {});
      const { waiting, refused } = hf.ledger ?? {};
      return { waiting, refused };
    });
  }

  refused(): Promise<string[]> {
    return this.page.evaluate(async () => {
      const codes: string[] = [];
      for await (const act of (window as unknown as { opened: Opened }).opened.ledger.acts()) codes.push(`${act.code}`);
      return codes;
    });
  }

  /** The payloads of the next acts of the feed. */
  feed(count: number): Promise<unknown[]> {
    return this.page.evaluate(async (count) => {
      const payloads: unknown[] = [];
      for await (const action of (window as unknown as { opened: Opened }).opened.ledger.actions()) {
        payloads.push(action.payload);
        if (payloads.length === count) break;
      }
      return payloads;
    }, count);
  }
}

test('acts recorded offline are judged on reconnect, each once', async ({ page }) => {
  const app = await OwnApp.serve();
  const server = await Server.launch(undefined, ['--allow-origin', app.origin]);
  try {
    await Authenticator.attach(page);
    const recorder = new Recorder(page, app, server);
    await recorder.open();
    await server.subscribe('Ada', 'premium', new Date(Date.now() + 30 * 86_400_000));
    await recorder.granted('export');

    await test.step('what was done while the server was away is accepted, in more than one batch', async () => {
      await server.stop();
      await recorder.record(120);
      expect(await recorder.upload()).toEqual({ waiting: 120, refused: 0 });
      await server.start();
      await expect.poll(() => recorder.upload()).toEqual({ waiting: 0, refused: 0 });
      const feed = await recorder.feed(120);
      expect(feed).toEqual(Array.from({ length: 120 }, (_, index) => ({ n: index + 1 })));
    });
    await test.step('what was done before a revocation that the device had not heard of is refused, and kept', async () => {
      await page.route(`${server.origin}/**`, (route) => route.abort());
      await recorder.record(2);
      await server.support('revoke', 'Ada');
      await page.unroute(`${server.origin}/**`);
      await expect.poll(() => recorder.upload()).toEqual({ waiting: 0, refused: 2 });
      expect(await recorder.refused()).toEqual(['revoked', 'revoked']);
    });
    await test.step('without the feature nothing is recorded', async () => {
      expect(await recorder.record(1).catch((error: Error) => error.message)).toContain('not_granted');
    });
  } finally {
    await server.dispose();
    app.close();
  }
});
