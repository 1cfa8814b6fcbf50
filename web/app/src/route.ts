import { signal } from '@preact/signals';

/** Where the user is. Kept in the address's fragment, which never reaches the server. */
export type Route =
  | { readonly at: 'list' }
  | { readonly at: 'note'; readonly id: string }
  /** A wish for a new note (an app shortcut), turned into a note as soon as that is possible. */
  | { readonly at: 'new' }
  | { readonly at: 'account' }
  | { readonly at: 'enrolment'; readonly code: string };

export const route = signal<Route>({ at: 'list' });

/** Follows the address from now on. */
export function followAddress(): void {
  const follow = () => {
    route.value = parse(location.hash);
    // The code is a secret and works once: it does not stay in the address and the history.
    if (route.value.at === 'enrolment') history.replaceState(null, '', '/');
  };
  follow();
  addEventListener('hashchange', follow);
}

export function parse(fragment: string): Route {
  const enrolment = /^#enrol=([\w-]+)$/.exec(fragment);
  if (enrolment?.[1]) return { at: 'enrolment', code: enrolment[1] };
  const note = /^#\/note\/([\w-]+)$/.exec(fragment);
  if (note?.[1]) return { at: 'note', id: note[1] };
  if (fragment === '#/new') return { at: 'new' };
  if (fragment === '#/account') return { at: 'account' };
  return { at: 'list' };
}

/** Goes to a place; `replace` leaves no way back to the present one. */
export function go(to: Route, replace = false): void {
  const address = to.at === 'note' ? `#/note/${to.id}` : to.at === 'account' || to.at === 'new' ? `#/${to.at}` : '#/';
  if (replace) {
    history.replaceState(null, '', `/${address}`);
    route.value = parse(address);
  } else {
    location.hash = address;
  }
}
