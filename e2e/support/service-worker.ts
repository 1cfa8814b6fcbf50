import type { BrowserContext, CDPSession } from '@playwright/test';

/** Controls the app's service worker in a browser profile, as the browser does. */
export class ServiceWorker {
  readonly #cdp: CDPSession;
  readonly #origin: string;
  readonly #registration: string;

  private constructor(cdp: CDPSession, origin: string, registration: string) {
    this.#cdp = cdp;
    this.#origin = origin;
    this.#registration = registration;
  }

  /** Attaches to the worker of an installed app from an empty page, which outlives those of the app. */
  static async of(context: BrowserContext, origin: string): Promise<ServiceWorker> {
    const cdp = await context.newCDPSession(await context.newPage());
    const registration = new Promise<string>((resolve) => {
      cdp.on('ServiceWorker.workerRegistrationUpdated', ({ registrations }) => {
        const ours = registrations.find(({ scopeURL, isDeleted }) => scopeURL === `${origin}/` && !isDeleted);
        if (ours) resolve(ours.registrationId);
      });
    });
    await cdp.send('ServiceWorker.enable');
    return new ServiceWorker(cdp, origin, await registration);
  }

  /** Sends a Background Sync event, as the browser does when the network is back. */
  async sync(tag: string): Promise<void> {
    await this.#cdp.send('ServiceWorker.dispatchSyncEvent', {
      origin: this.#origin,
      registrationId: this.#registration,
      tag,
      lastChance: false,
    });
  }

  /** Stops the worker at any point. The browser starts it again on demand. */
  async kill(): Promise<void> {
    await this.#cdp.send('ServiceWorker.stopAllWorkers');
  }
}
