import { holdfast } from '@holdfast/vite';
import vue from '@vitejs/plugin-vue';
import { defineConfig } from 'vite';

export default defineConfig({
  plugins: [vue(), holdfast({ origin: process.env.HOLDFAST_ORIGIN ?? 'http://localhost:8080' })],
});
