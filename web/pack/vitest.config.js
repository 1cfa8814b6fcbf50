import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    // Packing builds in place, so one package is packed at a time.
    fileParallelism: false,
    // Long enough that it ends only hanging tests, however busy the machine is.
    testTimeout: 240_000,
    hookTimeout: 240_000,
    maxConcurrency: 2,
  },
});
