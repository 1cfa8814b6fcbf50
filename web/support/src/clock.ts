import { signal } from '@preact/signals';

/**
 * The server's time, as well as this page knows it: what a device may still do is judged by the server's clock, so a wrong
 * clock here must not make anybody promise a wrong hour. Moves every second while the page is seen.
 */
export const now = signal(new Date());

/** Milliseconds by which the server's clock is ahead of this device's. */
let ahead = 0;

/** An answer's Date header has whole seconds, and the answer was on its way: a smaller difference says nothing. */
const slack = 2_000;

/** Takes the time from an answer. */
export function hearTime(date: string | null): void {
  const told = Date.parse(date ?? '');
  if (Number.isNaN(told)) return;
  const difference = told + 500 - Date.now();
  ahead = Math.abs(difference) > slack ? difference : 0;
  tick();
}

export function keepTime(): void {
  setInterval(() => {
    if (document.visibilityState === 'visible') tick();
  }, 1_000);
  document.addEventListener('visibilitychange', tick);
}

function tick(): void {
  now.value = new Date(Date.now() + ahead);
}
