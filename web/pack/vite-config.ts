// The configuration of an app with @holdfast/vite, and a page of it. vite.test.js compiles them against the packed packages.
/// <reference types="@holdfast/vite/client" />

import { origin, registerWorker, roots } from 'virtual:holdfast';
import type { Roots } from '@holdfast/client';
import { examine, type HoldfastOptions, holdfast } from '@holdfast/vite';
import { defineConfig } from 'vite';

const options: HoldfastOptions = { origin: 'http://localhost:8080', precache: ['**/*.js'], manifest: { name: 'App' } };
export default defineConfig({ plugins: [holdfast(options)] });

const embedded: Roots = roots;
const server: string = origin;
const trouble: string | null = await examine(server, 'http://localhost:5173');
const registration: ServiceWorkerRegistration | null = await registerWorker();

// @ts-expect-error the server's origin is needed
holdfast({});
// @ts-expect-error types are found, so that this is not any
registerWorker(1);

export { embedded, registration, trouble };
