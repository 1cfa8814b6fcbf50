import { signal } from '@preact/signals';
import { paced } from './paced.ts';

/** Whether the whole app is cached here, so that it opens without the network; null: unknown. */
export const whole = signal<boolean | null>(null);

/** Milliseconds between two checks: the least between events, and the interval without them. */
const [pause, interval] = [10_000, 60_000];

/** Makes the service worker check and refill its cache, now and from time to time. Never rejects. */
export async function watchWhole(): Promise<void> {
  try {
    const { active } = await navigator.serviceWorker.ready;
    if (!active) return;
  } catch {
    return; // no worker here: the app never opens without the network
  }
  const look = paced(() => {
    const { port1, port2 } = new MessageChannel();
    port1.onmessage = ({ data }) => {
      whole.value = data === true;
    };
    navigator.serviceWorker.controller?.postMessage('refill', [port2]);
  }, pause);
  look();
  setInterval(look, interval);
  addEventListener('online', look);
  document.addEventListener('visibilitychange', look);
}
