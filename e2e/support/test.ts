import { type BrowserContext, test as base, expect, type Page } from '@playwright/test';
import { Fieldbook } from './fieldbook.ts';
import { Gateway } from './gateway.ts';
import { Profiles } from './profiles.ts';
import { Server } from './server.ts';

interface Fixtures {
  server: Server;
  gateway: Gateway;
  /** The app in a fresh browser profile, not opened yet. */
  fieldbook: Fieldbook;
  /** A page of another browser profile, that is, another device. */
  elsewhere: Page;
  /** For what outlives a browser. */
  profiles: Profiles;
}

export const test = base.extend<Fixtures>({
  // biome-ignore lint/correctness/noEmptyPattern: Playwright reads the names of the fixtures from it
  server: async ({}, use) => {
    const server = await Server.launch();
    await use(server);
    await server.dispose();
  },
  // biome-ignore lint/correctness/noEmptyPattern: as above
  gateway: async ({}, use) => {
    const gateway = await Gateway.launch();
    await use(gateway);
    await gateway.dispose();
  },
  fieldbook: async ({ page, server }, use) => {
    const troubles = await watch(page.context(), page);
    await use(new Fieldbook(page, server.origin));
    expect(troubles()).toEqual([]);
  },
  elsewhere: async ({ browser }, use) => {
    const context = await browser.newContext();
    await use(await context.newPage());
    await context.close();
  },
  profiles: async ({ launchOptions, locale, timezoneId }, use) => {
    const profiles = new Profiles({ ...launchOptions, ...(locale && { locale }), ...(timezoneId && { timezoneId }) });
    await use(profiles);
    await profiles.dispose();
  },
});

/**
 * Records faults that no page of the app may have: uncaught errors, violations of the content security policy, errors on the
 * console, requests to other hosts. Requests that reach no server, or that it refuses for a reason which the page shows
 * (401, 403, 409), are not among them: the browser itself reports those.
 */
export async function watch(context: BrowserContext, page: Page): Promise<() => string[]> {
  const troubles: string[] = [];
  await context.addInitScript(() => {
    document.addEventListener('securitypolicyviolation', (event) => {
      console.error(`content security policy: ${event.effectiveDirective} ${event.blockedURI} ${event.sourceFile}`);
    });
  });
  context.on('request', (request) => {
    if (!/^(http:\/\/localhost:\d+\/|blob:)/.test(request.url())) troubles.push(`asks others: ${request.url()}`);
  });
  page.on('pageerror', (error) => troubles.push(`uncaught: ${error.stack ?? error}`));
  page.on('console', (message) => {
    if (message.type() === 'error' && !/net::ERR_|status of 40[139]/.test(message.text())) {
      troubles.push(`${message.text()} ${message.location().url}`);
    }
  });
  return () => troubles;
}

export { expect };
