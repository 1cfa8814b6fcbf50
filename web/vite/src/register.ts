/**
 * Registers the service worker `/sw.js`, under the one Trusted Types policy that the server's content security policy allows.
 * Resolves with null where workers are not available, and in `vite dev`, which builds none.
 */
export async function registerWorker(): Promise<ServiceWorkerRegistration | null> {
  if (!('serviceWorker' in navigator) || import.meta.env.DEV) return null;
  const { trustedTypes } = globalThis as { trustedTypes?: TrustedTypePolicyFactory };
  const policy = trustedTypes?.createPolicy('holdfast', { createScriptURL: (url) => url });
  const url = policy ? policy.createScriptURL('/sw.js') : '/sw.js';
  return navigator.serviceWorker.register(url as string, { updateViaCache: 'none' }).catch(() => null);
}
