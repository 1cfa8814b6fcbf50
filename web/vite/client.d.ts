/** Of `@holdfast/vite`: add `"types": ["@holdfast/vite/client"]` to tsconfig.json. */
declare module 'virtual:holdfast' {
  import type { Roots } from '@holdfast/client';
  /** The origin of the Holdfast server. */
  export const origin: string;
  /** Its public root keys. */
  export const roots: Roots;
  /** Registers the service worker; null: there is none, or it was refused. */
  export function registerWorker(): Promise<ServiceWorkerRegistration | null>;
}
