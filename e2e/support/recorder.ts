import type { Page } from '@playwright/test';
import type { OwnApp } from './own-app.ts';
import type { Server } from './server.ts';
import { expect } from './test.ts';

type Sdk = typeof import('../../web/sdk/src/index.ts');
type LedgerModule = typeof import('../../web/sdk/src/ledger.ts');
export type Opened = {
  hf: Awaited<ReturnType<Sdk['openHoldfast']>>;
  ledger: Awaited<ReturnType<LedgerModule['openLedger']>>;
};

/** The SDK's database. */
const database = 'holdfast';

/** A page of an own app that records what its user does. */
export class Recorder {
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

  /** The exact texts of the acts that wait here, in order. */
  waiting(): Promise<string[]> {
    return this.page.evaluate(async (name) => {
      const database = await new Promise<IDBDatabase>((resolve, reject) => {
        const opening = indexedDB.open(name);
        opening.onsuccess = () => resolve(opening.result);
        opening.onerror = () => reject(opening.error);
      });
      const kept = await new Promise<{ text: string }[]>((resolve, reject) => {
        const reading = database.transaction('ledger').objectStore('ledger').getAll();
        reading.onsuccess = () => resolve(reading.result);
        reading.onerror = () => reject(reading.error);
      });
      database.close();
      return kept.map(({ text }) => text);
    }, database);
  }

  /** Makes acts wait that were accepted: as if their verdicts had never come. */
  forgetVerdicts(texts: readonly string[]): Promise<void> {
    return this.page.evaluate(
      async ([name, texts]) => {
        const database = await new Promise<IDBDatabase>((resolve, reject) => {
          const opening = indexedDB.open(name);
          opening.onsuccess = () => resolve(opening.result);
          opening.onerror = () => reject(opening.error);
        });
        const transaction = database.transaction(['state', 'ledger'], 'readwrite');
        const state = transaction.objectStore('state');
        const reading = state.get('ledger');
        reading.onsuccess = () => {
          const record = reading.result;
          for (const text of texts) {
            const { seq } = JSON.parse(text);
            transaction.objectStore('ledger').put({ text }, [record.user, 0, record.device, seq]);
          }
          const { feature } = JSON.parse(texts[0] ?? '');
          state.put({ ...record, waiting: { ...record.waiting, [feature]: texts.length } }, 'ledger');
        };
        await new Promise<void>((resolve, reject) => {
          transaction.oncomplete = () => resolve();
          transaction.onabort = () => reject(transaction.error);
        });
        database.close();
      },
      [database, texts] as const,
    );
  }
}
