import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    // Long enough that it ends only hanging tests, however busy the machine is.
    testTimeout: 60_000,
    include: ['test/**/*.test.ts'],
    typecheck: { enabled: true, include: ['test/**/*.test-d.ts'], tsconfig: 'tsconfig.json' },
  },
});
