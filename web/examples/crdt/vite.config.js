import { holdfast } from '@holdfast/vite';
import { defineConfig } from 'vite';

export default defineConfig({
  plugins: [holdfast({ origin: process.env.HOLDFAST_ORIGIN ?? 'http://localhost:8080' })],
});
