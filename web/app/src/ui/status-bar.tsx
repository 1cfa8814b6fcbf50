import { loaded, notes, trouble } from '../notes/book.ts';
import { here, limit } from '../standing.ts';

/** One line at the foot of the page, of fixed height; without words when all is well. */
export function StatusBar() {
  const { line, tone } = here.value;
  return (
    <footer class="status-bar">
      <p role="status" class={trouble.value || tone === 'attention' ? 'attention' : ''}>
        {trouble.value ?? line}
      </p>
      {loaded.value && <p class="count">{count(notes.value.length, limit.value)}</p>}
    </footer>
  );
}

function count(held: number, allowed: number): string {
  if (Number.isFinite(allowed)) return `${held} of ${allowed} notes`;
  return held === 1 ? '1 note' : `${held} notes`;
}
