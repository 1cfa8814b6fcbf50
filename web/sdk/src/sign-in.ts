// The parts for signing in and out and for locking pages, in a separate file: a page that only opens, verifies and
// reconciles never loads it.

export { sayFarewell } from './reconcile/farewell.ts';
export { linkDevice } from './reconcile/link.ts';
export { Account } from './session/account.ts';
