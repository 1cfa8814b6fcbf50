import { busy, outcome } from '../client.ts';
import type { Action } from '../words/failure.ts';

/**
 * Shows the outcome of the user's action: `about` which actions, by default any. The live region always exists, so that
 * screen readers announce it.
 */
export function Outcome({ about }: { about?: readonly Action[] }) {
  const latest = outcome.value;
  const said = latest && (about?.includes(latest.action) ?? true) ? latest : null;
  return (
    <p class={`outcome ${said && !said.good ? 'bad' : ''}`} role={said && !said.good ? 'alert' : 'status'}>
      {busy.value === null ? said?.text : null}
    </p>
  );
}
