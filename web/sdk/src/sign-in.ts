// The parts for signing in and out and for locking pages, in a separate file: a page that only opens, verifies and
// reconciles never loads it.
export { Account } from './account.ts';
export { sayFarewell } from './farewell.ts';
export { linkDevice } from './link.ts';
