import { type Channel, openChannel } from './channel.ts';

/** Opens the channel on which pages, workers and the event stream announce news of the ledger. */
export function openLedgerChannel(name: string, heard: () => void): Channel {
  return openChannel(`${name}:ledger`, heard);
}

export function announceLedger(name: string): void {
  const channel = openLedgerChannel(name, () => {});
  channel.post();
  channel.close();
}
