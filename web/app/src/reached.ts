import { signal } from '@preact/signals';

/** Whether the last request reached the server, according to the SDK; null: no request yet. */
export const reached = signal<boolean | null>(null);
