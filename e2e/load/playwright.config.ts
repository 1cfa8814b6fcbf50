import { defineConfig } from '@playwright/test';
import base from '../playwright.config.ts';

/** Measurements: one at a time, and never part of the tests. */
export default defineConfig(base, {
  testDir: '.',
  testMatch: '*.bench.ts',
  fullyParallel: false,
  workers: 1,
  timeout: 300_000,
});
