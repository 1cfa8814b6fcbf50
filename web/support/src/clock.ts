import { signal } from '@preact/signals';

/**
 * The server's time, as estimated by this page. The server's clock decides what a device may still do, so a wrong clock here
 * must not lead staff to promise a wrong hour. Updated every second while the page is visible.
 */
export const now = signal(new Date());

/** Milliseconds by which the server's clock is ahead of this device's. */
let ahead = 0;

/** A Date header has whole seconds and the answer took time to arrive, so a smaller difference means nothing. */
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
