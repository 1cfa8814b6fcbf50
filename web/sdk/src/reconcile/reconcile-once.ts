import type { Context } from '../state/context.ts';
import { failedReconcile } from './failed-reconcile.ts';
import { reconcileDevice } from './reconcile.ts';
import type { ReconcileResult } from './reconcile-result.ts';
import { withLock } from './with-lock.ts';

/** The parts that few runs need. A page loads them on demand; a service worker cannot, so it bundles them. */
export type RareParts = Pick<typeof import('./link.ts'), 'linkDevice'> &
  Pick<typeof import('./farewell.ts'), 'sayFarewell'>;

/**
 * One run of a page or a worker, exclusive among all of them: sends a pending sign-out, finishes a linking whose answer was
 * lost, and reconciles. The caller announces the changes to other tabs. With `since`, the document held when the run was
 * requested, the run sends nothing if another one was taken while it waited for the lock.
 */
export function reconcileOnce(
  context: Context,
  rare: () => Promise<RareParts>,
  since?: { readonly taken: unknown },
): Promise<ReconcileResult> {
  const run = async (): Promise<ReconcileResult> => {
    const { farewell, user, device, pending, document } = await context.store.read();
    const heard = farewell ? await (await rare()).sayFarewell(context) : 'said';
    if (!user) return { outcome: heard === 'unheard' ? 'no_contact' : 'signed_out' };
    // Compared as text: a damaged record read twice does not equal itself.
    if (since && `${since.taken}` !== `${document}`) return { outcome: 'superseded' };
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
