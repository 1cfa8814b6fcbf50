import { defineConfig } from '@playwright/test';

/** The specs run the real binary, each on its own port and data; `make test-browser` builds it first. */
export default defineConfig({
  testMatch: '*.spec.ts',
  testIgnore: process.env.HOLDFAST_DRILLS === 'full' ? [] : 'kills.spec.ts', // takes minutes: run by `make verify`
  fullyParallel: true,
  workers: 3, // many wait: for time limits and for the server
  timeout: 180_000,
  expect: { timeout: 30_000 },
  retries: 1, // a spec that passes only then is listed as flaky
  forbidOnly: process.env.CI !== undefined,
  reporter: 'list',
  // Traces would cost a tenth of the time: to look into a failure, run its spec with --trace=retain-on-failure.
  use: {
    locale: 'en-GB',
    timezoneId: 'Europe/Berlin',
    acceptDownloads: true,
    contextOptions: { reducedMotion: 'reduce' }, // drawing transitions takes a fifth of Chromium's time
    launchOptions: {
      executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
      // Chromium's sandbox does not start as root, the user of tests in a container.
      args: process.getuid?.() === 0 ? ['--no-sandbox'] : [],
    },
  },
});
