// An app that imports every entry of @holdfast/client. client.test.js compiles and bundles it against the packed package.
import {
  type Entitlement,
  emptyHoldfast,
  type Holdfast,
  HoldfastError,
  openHoldfast,
  type Snapshot,
} from '@holdfast/client';
import { explain } from '@holdfast/client/explanation';
import { type Action, type Ledger, openLedger } from '@holdfast/client/ledger';
import { keepOffering, pickPasskey } from '@holdfast/client/prompt';
import { openHoldfast as openFromOneFile } from '@holdfast/client/standalone';
import { reconcileInBackground as reconcileFromOneFile } from '@holdfast/client/standalone/worker';
import { canUseVault, openVault, type Vault } from '@holdfast/client/vault';
import { reconcileInBackground } from '@holdfast/client/worker';

const options = { origin: 'https://example.test', roots: { current: {}, next: null } };
const hf: Holdfast = await openHoldfast(options);
const same: Holdfast = await openFromOneFile(options);
const typed = await openHoldfast<'export' | 'notes'>(options);
const { has, snapshot } = typed;
const snapshots: Snapshot<'export' | 'notes'>[] = [snapshot(), emptyHoldfast<'export' | 'notes'>().snapshot()];
const state: Entitlement['state'] = hf.entitlement.state;
const limit: number | undefined = hf.limit('export');
await hf.signIn({ mediation: 'conditional', signal: new AbortController().signal });
await hf.link({ replaces: 'device' });
await hf.unlock({ signal: new AbortController().signal });
try {
  const session = await hf.session();
  await session?.deletePasskey('id', { endSessions: true });
} catch (error) {
  if (error instanceof HoldfastError && error.code === 'device_limit') await hf.link();
}
const ledger: Ledger<'export' | 'notes'> = await openLedger(typed);
await ledger.record('notes', 'note.save', {}, { write: (store) => store.put({}, 'note') });
for await (const action of ledger.actions()) takeAction(action);
function takeAction({ position }: Action): number {
  return position;
}
const vault: Vault = await openVault(typed, { idle: 60_000 });
if (await canUseVault()) await vault.unlock();
const sealed: Uint8Array = await vault.seal('note', 'text');
const giveWay: () => void = reconcileInBackground(options);

// @ts-expect-error no such feature
has('exprot');
// @ts-expect-error a state has a known name
const unknown: 'unknown' = state;
// @ts-expect-error without roots nothing can be trusted
await openHoldfast({ origin: 'https://example.test' });
// @ts-expect-error types are found, so that this is not any
hf.has(1);

export { explain, giveWay, keepOffering, limit, pickPasskey, reconcileFromOneFile, same, sealed, snapshots, unknown };
