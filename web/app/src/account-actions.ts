// The actions of the account's page and the lock screen, which most visits never need.
import { HoldfastError, type LockOptions, type ReconcileResult } from '@holdfast/client';
import { t } from '@holdfast/kit/words.ts';
import { attempt, bad, confirmed, good, holdfast, requireSession, type Said, user } from './client.ts';
import { wipeBook } from './notes/book.ts';
import { forgetNotices } from './notices.ts';
import { go } from './route.ts';
import { forgetTrial, noTrialHere, trialHad } from './trial.ts';
import { lookForUpdate } from './update.ts';

export function startTrial(): Promise<boolean> {
  const asker = user.value?.id ?? '';
  return attempt('trial', async () => {
    try {
      await confirmed(await requireSession(), () => holdfast.startTrial());
      trialHad(asker);
      return good(t('Premium is on. Enjoy the trial.'));
    } catch (error) {
      if (!(error instanceof HoldfastError)) throw error;
      if (error.code === 'conflict') {
        trialHad(asker);
        return bad(t('This account has had its trial already.'));
      }
      if (error.code === 'not_found') {
        noTrialHere();
        return bad(t('There is no trial here.'));
      }
      throw error;
    }
  });
}

/** Unlocks this tab with a passkey, also offline. */
export function unlock(): Promise<boolean> {
  return attempt('unlock', async () => {
    await holdfast.unlock();
    return null;
  });
}

/** Sets when the app locks automatically. */
export function setLock(options: LockOptions): Promise<boolean> {
  return attempt('lock', async () => {
    await holdfast.setLock(options);
    return null;
  });
}

/** Reconciles with the server. */
export function checkNow(): Promise<boolean> {
  return attempt('check', async () => verdict(await holdfast.reconcile()));
}

/**
 * Signs out on this device; with `wipe`, the notes are deleted first, so that nobody is signed out with their notes still
 * there.
 */
export function signOut(wipe: boolean): Promise<boolean> {
  const leaving = user.value?.id;
  return attempt('sign-out', async () => {
    if (wipe && leaving) {
      await wipeBook(leaving).catch((cause: unknown) => {
        throw new HoldfastError('storage_unavailable', undefined, { cause });
      });
      forgetTrial(leaving);
    }
    forgetNotices();
    const told = await holdfast.signOut();
    go({ at: 'list' }, true);
    const said = [
      wipe && t('Your notes are erased from this browser.'),
      !told && t('You are signed out here. The server hears of it at the next contact, or when you sign in again.'),
    ].filter(Boolean);
    return said.length > 0 ? good(said.join(' ')) : null;
  });
}

function verdict(result: ReconcileResult): Said {
  switch (result.outcome) {
    case 'reconciled':
    case 'superseded':
    case 'forked':
      return good(t('Up to date.'));
    case 'no_contact':
      return bad(t('The server cannot be reached right now. What you have keeps working.'));
    case 'sign_in_needed':
    case 'signed_out':
      return { good: false, text: t('The server does not know this device. Sign in with your passkey.'), signIn: true };
    case 'refused':
      if (result.code === 'root_unknown' || result.code === 'key_unknown') {
        lookForUpdate().catch(() => {}); // server not reached or no worker: a reload checks too
        return bad(
          t(
            'This version of Fieldbook does not know the keys of this server ({code}). Reload when a new one is offered.',
            { code: result.code },
          ),
        );
      }
      return bad(t('The answer was not taken: it does not prove itself ({code}).', { code: result.code }));
    case 'storage_unavailable':
      return bad(
        holdfast.storage === 'full'
          ? t(
              "The answer could not be kept: this browser's storage is full. Free some space on this device, then check again.",
            )
          : t('The answer could not be kept: the disk may be full, or site data blocked for this page.'),
      );
  }
}
