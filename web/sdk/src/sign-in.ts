// What only somebody who signs in or out, or locks pages, needs: a file of its own, which a page that opens, verifies
// and reconciles never loads.
export { Account } from './account.ts';
export { sayFarewell } from './farewell.ts';
export { linkDevice } from './link.ts';
