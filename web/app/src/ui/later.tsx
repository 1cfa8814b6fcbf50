import { signal } from '@preact/signals';
import type { ComponentChildren } from 'preact';
import { useEffect } from 'preact/hooks';

type Part = typeof import('./security/security.tsx');

const part = signal<Part | null>(null);
const missing = signal(false);

async function load(): Promise<void> {
  try {
    part.value = await import('./security/security.tsx');
    missing.value = false;
  } catch {
    missing.value = true;
  }
}

interface Props {
  readonly children: (part: Part) => ComponentChildren;
  /** Not requested by the user: if it fails to load, show nothing. */
  readonly unasked?: boolean;
}

/** The parts for passkeys, sessions and recovery, which are seldom used: a separate file, loaded on demand. */
export function Later({ children, unasked = false }: Props) {
  useEffect(() => void load(), []);
  if (part.value) return <>{children(part.value)}</>;
  if (!missing.value || unasked) return null;
  return (
    <div class="threshold-card" role="alert">
      <p>A part of the app is missing. Connect, then try again.</p>
      <button type="button" class="button" onClick={() => void load()}>
        Try again
      </button>
    </div>
  );
}
