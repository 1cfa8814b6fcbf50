import { signal } from '@preact/signals';

/** The user's place in the app, kept in the URL's fragment, which never reaches the server. */
export type Route =
  | { readonly at: 'list' }
  | { readonly at: 'note'; readonly id: string }
  /** A request for a new note (from an app shortcut), fulfilled as soon as possible. */
  | { readonly at: 'new' }
  | { readonly at: 'account' }
  | { readonly at: 'security' }
  | { readonly at: 'enrolment'; readonly code: string }
  /** With the code of support's link, or without one if the user types it. */
  | { readonly at: 'recovery'; readonly code: string | null }
  /** The account was just recovered. */
  | { readonly at: 'recovered' };

/** Places whose name in the URL is their name here. */
const named = ['new', 'account', 'security', 'recovered'] as const;

export const route = signal<Route>({ at: 'list' });

/** Follows the URL from now on. */
export function followAddress(): void {
  const follow = () => {
    route.value = parse(location.hash);
    // The code is a one-time secret, so it must not stay in the URL and the history.
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

/** Goes to a place; `replace` replaces the current history entry. */
export function go(to: Route, replace = false): void {
  const address = addressOf(to);
  if (replace) {
    history.replaceState(null, '', `/${address}`);
    route.value = parse(address);
  } else {
    location.hash = address;
  }
}

/** Codes are secrets, so the app never writes one into the URL. */
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
