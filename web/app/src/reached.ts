import { signal } from '@preact/signals';

/** Whether the last request found the server, as the SDK judges it; null: none was made yet. */
export const reached = signal<boolean | null>(null);
