// For service workers, `@holdfast/client/worker`. import() is not available there, so this file contains everything that a
// run may need.

import { HoldfastError } from './base/error.ts';
import { Uploader } from './ledger/uploader.ts';
import { syncTag } from './reconcile/background.ts';
import { sayFarewell } from './reconcile/farewell.ts';
import { linkDevice } from './reconcile/link.ts';
import { reconcileOnce } from './reconcile/reconcile-once.ts';
import { unhurried } from './reconcile/spread.ts';
import { openChannel } from './state/channel.ts';
import { type Context, makeContext } from './state/context.ts';
import type { Options } from './state/options.ts';

export type { Roots } from './verify/roots.ts';

/**
 * The settings of {@link reconcileInBackground}. Use the same values as in the pages' {@link Options}.
 *
 * @example
 * const options: WorkerOptions = { origin: location.origin, roots };
 */
export type WorkerOptions = Pick<Options, 'origin' | 'roots' | 'rpId' | 'database' | 'clock' | 'fetch' | 'timeout'> & {
  /** {@link ledgerUploads}, if pages record acts: the worker then uploads what waits. Without it, the pages do. */
  readonly ledger?: typeof ledgerUploads;
};

/**
 * Lets the worker upload acts that wait. An option of its own, so that the workers of other apps do not contain it.
 *
 * @example
 * reconcileInBackground({ origin: self.location.origin, roots, ledger: ledgerUploads });
 */
export const ledgerUploads = (context: Context): Uploader => new Uploader(context, () => {});

interface SyncEvent extends Event {
  readonly tag: string;
  waitUntil(work: Promise<unknown>): void;
}

/**
 * Lets a service worker reconcile when the browser wakes it: once there is contact after a page had none (Background Sync),
 * and from time to time while the app is closed (Periodic Background Sync). Pages register both automatically. It takes
 * turns with all tabs and notifies them of changes; it also tells the server of a sign-out made offline. Call it while the
 * worker's script first runs. Without browser support for either sync, nothing happens.
 *
 * Returns a function that ends the work under way: call it when the user wants the next version of the worker, which the
 * browser activates only once this one is idle. The browser then wakes the next version for the sync.
 *
 * @example
 * // sw.ts: a worker's own fetch bypasses its cache, so the roots are taken out of the precache.
 * const giveWay = reconcileInBackground({
 *   origin: self.location.origin,
 *   roots: async () => (await matchPrecache("/roots.json")).json(),
 * });
 */
export function reconcileInBackground(options: WorkerOptions): () => void {
  const context = makeContext(options);
  let giveWay = () => {};
  let given = false;
  const gaveWay = new Promise<never>((_, reject) => {
    giveWay = () => {
      given = true;
      reject(new HoldfastError('no_contact'));
    };
  });
  gaveWay.catch(() => {});
  const uploader = options.ledger?.(context);
  context.ledger = uploader;
  const listen = (type: string, work: () => Promise<void>) =>
    self.addEventListener(type, (event) => {
      const sync = event as SyncEvent;
      if (sync.tag === syncTag) sync.waitUntil(Promise.race([work(), gaveWay]).finally(() => context.store.close()));
    });
  const goesOn = () => !!uploader?.more && !given;
  listen('sync', () => makeUp(context, goesOn));
  listen('periodicsync', () => run(context, goesOn));
  return giveWay;
}

/** Makes up for a page's run that found no contact, unless another page has done so: acts may wait all the same. */
async function makeUp(context: Context, goesOn: () => boolean): Promise<void> {
  const { owed, lineage, farewell } = await context.store.read();
  const done = owed !== undefined && owed !== lineage && !farewell && !context.ledger;
  if (!done) await run(context, goesOn);
  await context.store.update((held) => (held.owed === owed ? { owed: undefined } : null));
}

/** Rejects if the server was not reached: the browser then wakes the worker again. One run sends one batch of acts. */
async function run(context: Context, goesOn: () => boolean): Promise<void> {
  const held = await context.store.read();
  if (!held.user && !held.farewell) return;
  await new Promise((resolve) => setTimeout(resolve, unhurried(Math.random)));

  const rare = async () => ({ linkDevice, sayFarewell });
  let { outcome } = await reconcileOnce(context, rare, { taken: held.document });
  while (outcome === 'reconciled' && goesOn()) ({ outcome } = await reconcileOnce(context, rare));
  if (outcome === 'reconciled' || outcome === 'forked') tellTabs(context);
  if (outcome === 'no_contact') throw new HoldfastError('no_contact');
}

function tellTabs({ name }: Context): void {
  const channel = openChannel(name, () => {});
  channel.post();
  channel.close();
}
