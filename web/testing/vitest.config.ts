import { defaultServerConditions } from 'vite';
import { defineConfig } from 'vitest/config';

export default defineConfig({
  resolve: { conditions: ['holdfast-source', ...defaultServerConditions] },
  ssr: { resolve: { conditions: ['holdfast-source', ...defaultServerConditions] } },
});
