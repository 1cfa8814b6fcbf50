import type { State } from '../state/state.ts';
import { findSnag } from './snag.ts';

/** Tells the developer of mistakes in the set-up, when a client opens and whenever something fails: each one once. */
export async function watch(state: State, log: (message: string) => void): Promise<void> {
  const told = new Set<string>();
  const look = async () => {
    const snag = await findSnag(state.context).catch(() => null);
    if (!snag || state.ended || told.has(snag.message)) return;
    told.add(snag.message);
    log(`${snag.code}: ${snag.message}`);
  };
  let failing = false;
  state.subscribe(() => {
    const failed = state.reached === false || state.entitlement.error !== null;
    if (failed && !failing) void look();
    failing = failed;
  });
  await look();
}
