import { thousands } from '@holdfast/kit/when.ts';
import { loaded, notes } from '../notes/book.ts';
import { limit, line } from '../standing.ts';

/** A line under the header for what the user should know now, on every page; empty when all is well. */
export function StatusLine() {
  const { text, tone } = line.value;
  return (
    <p class={`status-line ${tone === 'attention' ? 'attention' : ''}`} role="status">
      {text}
    </p>
  );
}

/** How many notes there are, at the bottom of the page. */
export function Count() {
  return <footer class="count">{loaded.value && words(notes.value.length, limit.value)}</footer>;
}

function words(held: number, allowed: number): string {
  if (Number.isFinite(allowed)) return `${thousands(held)} of ${thousands(allowed)} notes`;
  return held === 1 ? '1 note' : `${thousands(held)} notes`;
}
