import { type BrowserContext, type CDPSession, expect, type Page, type Worker } from '@playwright/test';

/** The app's service worker, woken as the browser would. */
export class AppWorker {
  readonly #worker: Worker;
  readonly #cdp: CDPSession;

  private constructor(worker: Worker, cdp: CDPSession) {
    this.#worker = worker;
    this.#cdp = cdp;
  }

  /** Waits for the one that is in charge of the page, and stays with it when the page is closed. */
  static async of(context: BrowserContext, page: Page): Promise<AppWorker> {
    await page.evaluate(() => navigator.serviceWorker.ready.then(() => undefined));
    const worker = context.serviceWorkers()[0] ?? (await context.waitForEvent('serviceworker'));
    // What an event makes it do is kept, so that a test can wait for the end of it.
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
    return new AppWorker(worker, await context.newCDPSession(await context.newPage()));
  }

  /** Decides when it asks: after 30 seconds times `drawn`, for nobody waits for a worker. */
  async draws(drawn: number): Promise<void> {
    await this.#worker.evaluate((drawn) => {
      Math.random = () => drawn;
    }, drawn);
  }

  /** The browser finds that there is contact again. Resolves once the worker has heard of it. */
  async sync(): Promise<void> {
    const known = await this.#works();
    const registered = new Promise<string>((resolve) => {
      this.#cdp.on('ServiceWorker.workerRegistrationUpdated', ({ registrations }) => {
        const ours = registrations.find(({ scopeURL }) => this.#worker.url().startsWith(scopeURL));
        if (ours) resolve(ours.registrationId);
      });
    });
    await this.#cdp.send('ServiceWorker.enable');
    await this.#cdp.send('ServiceWorker.dispatchSyncEvent', {
      origin: new URL(this.#worker.url()).origin,
      registrationId: await registered,
      tag: 'holdfast-reconcile',
      lastChance: false,
    });
    await this.#cdp.send('ServiceWorker.disable');
    await expect.poll(() => this.#works()).toBeGreaterThan(known);
  }

  /** Resolves when all that it was woken for is done. */
  async ended(): Promise<void> {
    await this.#worker.evaluate(async () => {
      await Promise.allSettled((self as unknown as { works: Promise<unknown>[] }).works);
    });
  }

  #works(): Promise<number> {
    return this.#worker.evaluate(() => (self as unknown as { works: Promise<unknown>[] }).works.length);
  }
}
