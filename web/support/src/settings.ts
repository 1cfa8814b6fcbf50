import { effect, signal } from '@preact/signals';
import { zone } from './words/time.ts';

/** How this browser shows the console. Kept in the browser, for every staff member who uses it. */
interface Settings {
  readonly times: 'local' | 'UTC';
  /** Whether the message about the last change leaves by itself. */
  readonly messages: 'leave' | 'stay';
}

const usual: Settings = { times: 'local', messages: 'leave' };
const place = 'holdfast-support';

export const settings = signal<Settings>(usual);

export function set(change: Partial<Settings>): void {
  settings.value = { ...settings.peek(), ...change };
  try {
    localStorage.setItem(place, JSON.stringify(settings.peek()));
  } catch {
    // A browser that keeps nothing forgets the settings with the page.
  }
}

/** Reads the settings, now and when another tab has changed them. */
export function followSettings(): void {
  take(stored());
  addEventListener('storage', ({ key, newValue }) => {
    if (key === place) take(newValue);
  });
  effect(() => {
    zone.value = settings.value.times === 'UTC' ? 'UTC' : undefined;
  });
}

function stored(): string | null {
  try {
    return localStorage.getItem(place);
  } catch {
    return null;
  }
}

/** Values of another version count as the usual ones. */
function take(text: string | null): void {
  let kept: Partial<Record<keyof Settings, unknown>> = {};
  try {
    kept = JSON.parse(text ?? '{}') ?? {};
  } catch {
    // as above
  }
  settings.value = {
    times: kept.times === 'UTC' ? 'UTC' : 'local',
    messages: kept.messages === 'stay' ? 'stay' : 'leave',
  };
}
