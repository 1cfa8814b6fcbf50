import { defineConfig } from 'vitest/config';

export default defineConfig({
  // The sources of @holdfast/client, so that the tests and the hooks share one SDK.
  resolve: { conditions: ['holdfast-source'] },
  ssr: { resolve: { conditions: ['holdfast-source'] } },
  // Long enough that it ends only hanging tests, however busy the machine is.
  test: {
    testTimeout: 60_000,
    include: ['test/**/*.test.ts'],
    server: { deps: { inline: [/@holdfast/] } },
    typecheck: { enabled: true, include: ['test/**/*.test-d.ts'], tsconfig: 'tsconfig.json' },
  },
});
