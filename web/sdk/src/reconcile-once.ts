import type { Context } from './context.ts';
import { failedReconcile } from './failed-reconcile.ts';
import { withLock } from './lock.ts';
import { reconcileDevice } from './reconcile.ts';
import type { ReconcileResult } from './reconcile-result.ts';

/** What few runs need. A page loads it then; a service worker, which cannot, brings it along. */
export type RareParts = Pick<typeof import('./sign-in.ts'), 'linkDevice' | 'sayFarewell'>;

/**
 * One run of a page or a worker, one at a time over all of them: says what is still to be said of a sign-out, finishes a
 * linking whose answer was lost, and reconciles. Whoever calls tells the others of what it changed.
 */
export function reconcileOnce(context: Context, rare: () => Promise<RareParts>): Promise<ReconcileResult> {
  const run = async (): Promise<ReconcileResult> => {
    const { farewell, user, device, pending } = await context.store.read();
    if (farewell) await (await rare().catch(() => null))?.sayFarewell(context);
    if (!user) return { outcome: 'signed_out' };
    if (!device) {
      // The same key is sent again; a first linking needs the user.
      if (!pending) return { outcome: 'sign_in_needed' };
      const { linkDevice } = await rare();
      await linkDevice(context);
    }
    return reconcileDevice(context);
  };
  return withLock(context.name, run).catch(failedReconcile);
}
