import type { ComponentChildren } from 'preact';
import { Mark } from './mark.tsx';

/** The frame of the pages before the console. */
export function Threshold({ children }: { children: ComponentChildren }) {
  return (
    <main class="threshold gate">
      <div class="threshold-card">
        <p class="brand">
          <Mark /> Holdfast support
        </p>
        {children}
      </div>
    </main>
  );
}
