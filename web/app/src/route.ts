import { signal } from '@preact/signals';

/** Where the user is. Kept in the address's fragment, which never reaches the server. */
export type Route =
  | { readonly at: 'list' }
  | { readonly at: 'note'; readonly id: string }
  /** A wish for a new note (an app shortcut), turned into a note as soon as that is possible. */
  | { readonly at: 'new' }
  | { readonly at: 'account' }
  | { readonly at: 'security' }
  | { readonly at: 'enrolment'; readonly code: string }
  /** With the code of support's link, or without one: then it is typed. */
  | { readonly at: 'recovery'; readonly code: string | null }
  /** The account was just recovered. */
  | { readonly at: 'recovered' };

/** Those that are called in the address as they are called here. */
const named = ['new', 'account', 'security', 'recovered'] as const;

export const route = signal<Route>({ at: 'list' });

/** Follows the address from now on. */
export function followAddress(): void {
  const follow = () => {
    route.value = parse(location.hash);
    // The code is a secret and works once: it does not stay in the address and the history.
    if ('code' in route.value && route.value.code !== null) history.replaceState(null, '', '/');
  };
  follow();
  addEventListener('hashchange', follow);
}

export function parse(fragment: string): Route {
  const enrolment = /^#enrol=([\w-]+)$/.exec(fragment);
  if (enrolment?.[1]) return { at: 'enrolment', code: enrolment[1] };
  const recovery = /^#recover=([\w-]+)$/.exec(fragment);
  if (recovery?.[1]) return { at: 'recovery', code: recovery[1] };
  if (fragment === '#/recovery') return { at: 'recovery', code: null };
  const note = /^#\/note\/([\w-]+)$/.exec(fragment);
  if (note?.[1]) return { at: 'note', id: note[1] };
  const at = named.find((name) => fragment === `#/${name}`);
  return { at: at ?? 'list' };
}

/** Goes to a place; `replace` leaves no way back to the present one. */
export function go(to: Route, replace = false): void {
  const address = addressOf(to);
  if (replace) {
    history.replaceState(null, '', `/${address}`);
    route.value = parse(address);
  } else {
    location.hash = address;
  }
}

/** Codes are secrets: none of them ever comes into the address from here. */
function addressOf(to: Route): string {
  switch (to.at) {
    case 'note':
      return `#/note/${to.id}`;
    case 'list':
    case 'enrolment':
      return '#/';
    default:
      return `#/${to.at}`;
  }
}
