import { signal } from '@preact/signals';
import { paced } from './paced.ts';

/** Whether all of the app is kept here, so that it opens without the network; null: not known. */
export const whole = signal<boolean | null>(null);

/** Milliseconds between two looks, however often something happens, and while nothing does. */
const [pause, interval] = [10_000, 60_000];

/** Has the service worker check and refill its cache, now and from time to time. Never rejects. */
export async function watchWhole(): Promise<void> {
  try {
    const { active } = await navigator.serviceWorker.ready;
    if (!active) return;
  } catch {
    return; // There is no worker here, and the app never opens without the network.
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
