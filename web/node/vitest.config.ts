import { defaultServerConditions } from 'vite';
import { defineConfig } from 'vitest/config';

export default defineConfig({
  resolve: { conditions: ['holdfast-source', ...defaultServerConditions] },
  ssr: { resolve: { conditions: ['holdfast-source', ...defaultServerConditions] } },
  // Long enough that it ends only hanging tests, however busy the machine is.
  test: { testTimeout: 60_000, include: ['test/**/*.test.ts'] },
});
