import { holdfast } from '@holdfast/vite';
import { svelte } from '@sveltejs/vite-plugin-svelte';
import { defineConfig } from 'vite';

export default defineConfig({
  plugins: [svelte(), holdfast({ origin: process.env.HOLDFAST_ORIGIN ?? 'http://localhost:8080' })],
});
