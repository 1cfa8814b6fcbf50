import { type BrowserContext, expect, type Page, type Worker } from '@playwright/test';
import { ServiceWorker } from './service-worker.ts';

/** The app's service worker: a test decides when it sends requests, and waits for its work to end. */
export class WatchedWorker {
  readonly #worker: Worker;
  readonly #wake: ServiceWorker;

  private constructor(worker: Worker, wake: ServiceWorker) {
    this.#worker = worker;
    this.#wake = wake;
  }

  /** Waits for the page's active worker, and stays attached when the page is closed. */
  static async of(context: BrowserContext, page: Page): Promise<WatchedWorker> {
    await page.evaluate(() => navigator.serviceWorker.ready.then(() => undefined));
    const worker = context.serviceWorkers()[0] ?? (await context.waitForEvent('serviceworker'));
    // The work of an event is recorded, so that a test can wait for its end.
    await worker.evaluate(() => {
      interface Extendable {
        waitUntil(work: Promise<unknown>): void;
      }
      const scope = self as unknown as { works: Promise<unknown>[]; ExtendableEvent: { prototype: Extendable } };
      const { prototype } = scope.ExtendableEvent;
      const { waitUntil } = prototype;
      scope.works = [];
      prototype.waitUntil = function (work) {
        scope.works.push(work);
        waitUntil.call(this, work);
      };
    });
    return new WatchedWorker(worker, await ServiceWorker.of(context, new URL(worker.url()).origin));
  }

  /** Sets the worker's delay: 30 seconds times `drawn`, since no user waits for a worker. */
  async draws(drawn: number): Promise<void> {
    await this.#worker.evaluate((drawn) => {
      Math.random = () => drawn;
    }, drawn);
  }

  /** Brings the browser back online. Resolves once the worker has received the event. */
  async sync(): Promise<void> {
    const known = await this.#works();
    await this.#wake.sync('holdfast-reconcile');
    await expect.poll(() => this.#works()).toBeGreaterThan(known);
  }

  /** Resolves when all work that it was woken for is done. */
  async ended(): Promise<void> {
    await this.#worker.evaluate(async () => {
      await Promise.allSettled((self as unknown as { works: Promise<unknown>[] }).works);
    });
  }

  #works(): Promise<number> {
    return this.#worker.evaluate(() => (self as unknown as { works: Promise<unknown>[] }).works.length);
  }
}
