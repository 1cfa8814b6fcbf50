// What only somebody who signs in or out needs: a file of its own, which a page that opens, verifies and reconciles never loads.
export { makePasskey, usePasskey } from './ceremony.ts';
export { sayFarewell } from './farewell.ts';
export { linkDevice } from './link.ts';
export { readSession } from './read-session.ts';
