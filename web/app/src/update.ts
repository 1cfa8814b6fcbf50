import { signal } from '@preact/signals';

/** A new version of the app that is installed and waits for the user, or null. */
export const waiting = signal<ServiceWorker | null>(null);

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
 * Registers the service worker and keeps {@link waiting} current. Resolves
 * when the browser has accepted or refused it; a refusal (private window,
 * server out of reach) leaves an app that works, only not offline.
 */
export async function watchForUpdates(): Promise<void> {
  if (!('serviceWorker' in navigator)) return;
  let registration: ServiceWorkerRegistration;
  try {
    // The DOM types do not know Trusted Types here yet: a TrustedScriptURL is what the browser wants.
    registration = await navigator.serviceWorker.register(scriptURL() as string, { updateViaCache: 'none' });
  } catch {
    return;
  }
  const offer = () => {
    // Without a controller this is the first installation, not an update.
    if (registration.waiting && navigator.serviceWorker.controller) waiting.value = registration.waiting;
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

/** Changes over to the waiting version and reloads the page once it is in charge. */
export function reloadIntoUpdate(): void {
  navigator.serviceWorker.addEventListener('controllerchange', () => location.reload(), { once: true });
  waiting.value?.postMessage('activate');
}
