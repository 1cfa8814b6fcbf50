import { signal } from '@preact/signals';

/**
 * A new version of the app: it is waiting for the user, or another tab has activated it and this page is outdated. Null:
 * none, or dismissed for now.
 */
export const newVersion = signal<'waiting' | 'in charge' | null>(null);

let waiting: ServiceWorker | null = null;

/** Whether the user has agreed: this page then reloads as soon as the new version is active. */
let agreed = false;

const script = '/sw.js';

/** The page's only Trusted Types policy, which allows the worker's URL alone. */
function scriptURL(): TrustedScriptURL | string {
  const types = window.trustedTypes;
  if (!types) return script;
  const policy = types.createPolicy('holdfast', {
    createScriptURL(url) {
      if (url !== script) throw new TypeError(`refused script address: ${url}`);
      return url;
    },
  });
  return policy.createScriptURL(script);
}

/**
 * Registers the service worker and keeps {@link newVersion} current. Resolves when the browser has accepted or refused it.
 * After a refusal (private window, server not reached) the app works, but not offline.
 */
export async function watchForUpdates(): Promise<void> {
  if (!('serviceWorker' in navigator)) return;
  const workers = navigator.serviceWorker;
  let controlled = workers.controller !== null;
  workers.addEventListener('controllerchange', () => {
    waiting = null;
    if (agreed) location.reload();
    // The first worker to control this page is of the page's own version.
    else if (controlled) newVersion.value = 'in charge';
    controlled = true;
  });
  let registration: ServiceWorkerRegistration;
  try {
    // The DOM types lack Trusted Types here; the browser expects a TrustedScriptURL.
    registration = await workers.register(scriptURL() as string, { updateViaCache: 'none' });
  } catch {
    return;
  }
  const offer = () => {
    // Without a controller, this is the first installation, not an update.
    if (!registration.waiting || !workers.controller) return;
    waiting = registration.waiting;
    newVersion.value = 'waiting';
  };
  offer();
  registration.addEventListener('updatefound', () => {
    registration.installing?.addEventListener('statechange', offer);
  });
  document.addEventListener('visibilitychange', () => {
    // If the server is not reached, the next time the page is shown checks again.
    if (document.visibilityState === 'visible') registration.update().catch(() => {});
  });
}

/** Checks for a new version, which is then offered. */
export async function lookForUpdate(): Promise<void> {
  const registration = await navigator.serviceWorker?.getRegistration();
  await registration?.update();
}

/** Activates the new version and reloads the page once it is active. */
export function reloadIntoUpdate(): void {
  agreed = true;
  if (!waiting) {
    location.reload();
    return;
  }
  navigator.serviceWorker.controller?.postMessage('give way');
  waiting.postMessage('activate');
}
