import { busy, outcome } from '../client.ts';
import type { Action } from '../words/failure.ts';

/**
 * Says how what the user asked for ended: `about` which actions, by default any. The live region is always there, so
 * that it is read out.
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
