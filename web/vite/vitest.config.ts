import { defineConfig } from 'vitest/config';

// Long enough that it ends only hanging tests, however busy the machine is.
export default defineConfig({ test: { testTimeout: 60_000, hookTimeout: 60_000 } });
