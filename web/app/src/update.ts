import { signal } from '@preact/signals';

/**
 * A new version of the app: it waits for the user, or another tab has put it in charge and left this page behind. Null:
 * there is none, or the user does not want to hear of it now.
 */
export const newVersion = signal<'waiting' | 'in charge' | null>(null);

let waiting: ServiceWorker | null = null;

/** The user has agreed: this page reloads as soon as the new version is in charge. */
let agreed = false;

const script = '/sw.js';

/** The one address that may become a worker: the page's only Trusted Types policy. */
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
 * Registers the service worker and keeps {@link newVersion} current. Resolves
 * when the browser has accepted or refused it; a refusal (private window,
 * server out of reach) leaves an app that works, only not offline.
 */
export async function watchForUpdates(): Promise<void> {
  if (!('serviceWorker' in navigator)) return;
  const workers = navigator.serviceWorker;
  let controlled = workers.controller !== null;
  workers.addEventListener('controllerchange', () => {
    waiting = null;
    if (agreed) location.reload();
    // The first worker to take this page over is of its own version.
    else if (controlled) newVersion.value = 'in charge';
    controlled = true;
  });
  let registration: ServiceWorkerRegistration;
  try {
    // The DOM types do not know Trusted Types here yet: a TrustedScriptURL is what the browser wants.
    registration = await workers.register(scriptURL() as string, { updateViaCache: 'none' });
  } catch {
    return;
  }
  const offer = () => {
    // Without a controller this is the first installation, not an update.
    if (!registration.waiting || !workers.controller) return;
    waiting = registration.waiting;
    newVersion.value = 'waiting';
  };
  offer();
  registration.addEventListener('updatefound', () => {
    registration.installing?.addEventListener('statechange', offer);
  });
  document.addEventListener('visibilitychange', () => {
    // Out of reach is no news: the next time the page is shown asks again.
    if (document.visibilityState === 'visible') registration.update().catch(() => {});
  });
}

/** Asks the server whether there is a new version, which is then offered. */
export async function lookForUpdate(): Promise<void> {
  const registration = await navigator.serviceWorker?.getRegistration();
  await registration?.update();
}

/** Changes over to the new version: reloads the page once it is in charge. */
export function reloadIntoUpdate(): void {
  agreed = true;
  if (waiting) waiting.postMessage('activate');
  else location.reload();
}
