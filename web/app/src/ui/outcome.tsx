import { busy, outcome } from '../client.ts';

/** Says how what the user asked for ended. The live region is always there, so that it is read out. */
export function Outcome() {
  const said = outcome.value;
  return (
    <p class={`outcome ${said && !said.good ? 'bad' : ''}`} role={said && !said.good ? 'alert' : 'status'}>
      {busy.value === null ? said?.text : null}
    </p>
  );
}
