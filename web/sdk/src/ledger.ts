// The ledger, `@holdfast/client/ledger`: what the user does offline, judged by the server on reconnect.
import type { Client } from './client.ts';
import type { Holdfast } from './holdfast.ts';
import type { Ledger } from './ledger/ledger.ts';
import { PageLedger } from './ledger/page-ledger.ts';

export type { Action } from './ledger/action.ts';
export type { AppStore } from './ledger/app-store.ts';
export { keepBoth, lastWriter } from './ledger/conflict.ts';
export { type Entry, encodeEntry } from './ledger/entry.ts';
export type { ActionsOptions, Ledger, RecordedAct, RecordOptions } from './ledger/ledger.ts';
export type { LedgerProblem, LedgerStatus } from './storage/ledger-record.ts';

/**
 * Opens the ledger of a client, and from then on sends its acts with every reconcile. Call it once, when the page opens; a
 * later call returns the same ledger. `hf` is what `openHoldfast` resolved with, not a framework's proxy of it.
 *
 * @example
 * const ledger = await openLedger(hf);
 * await ledger.record('notes', 'note.save', { id, text });
 */
export async function openLedger<F extends string>(hf: Holdfast<F>): Promise<Ledger<F>> {
  const client = hf as unknown as Client;
  const { context } = client.state;
  if (!(context.ledger instanceof PageLedger)) context.ledger = new PageLedger(client.state, () => client.reconcile());
  const ledger = context.ledger as PageLedger;
  if (client.state.ended) ledger.close();
  await ledger.refresh();
  return ledger as unknown as Ledger<F>;
}
