import { defineConfig } from 'vitest/config';

export default defineConfig({
  // Long enough that it ends only hanging tests, however busy the machine is.
  test: { testTimeout: 240_000, hookTimeout: 240_000, maxConcurrency: 2 },
});
