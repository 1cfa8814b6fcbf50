import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    // Only a test that hangs shall end by this, however busy the machine is.
    testTimeout: 60_000,
    include: ['test/**/*.test.ts'],
    typecheck: { enabled: true, include: ['test/**/*.test-d.ts'], tsconfig: 'tsconfig.json' },
  },
});
