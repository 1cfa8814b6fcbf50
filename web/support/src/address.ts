import { signal } from '@preact/signals';

/** The staff member's place in the console, kept in the URL's fragment, which never reaches the server. */
export type Place =
  | { readonly at: 'overview' }
  /** The list of customers; `state` filters it. */
  | { readonly at: 'search'; readonly state?: string }
  | { readonly at: 'user'; readonly id: string }
  /** Revoking the subscriptions of many customers. */
  | { readonly at: 'many' }
  | { readonly at: 'gaps' }
  | { readonly at: 'audit' }
  | { readonly at: 'plans' }
  | { readonly at: 'webhooks' }
  | { readonly at: 'staff' }
  /** The landing page of a one-time link: for a new staff member, or one who has lost every passkey. */
  | { readonly at: 'invitation' | 'recovery'; readonly code: string };

/** Places whose name in the URL is their name here. */
const named = ['many', 'gaps', 'audit', 'plans', 'webhooks', 'staff'] as const;

export const place = signal<Place>({ at: 'overview' });

/** Follows the URL from now on. */
export function followAddress(): void {
  const follow = () => {
    place.value = parse(location.hash);
    // The code is a one-time secret, so it must not stay in the URL and the history.
    if ('code' in place.value) history.replaceState(null, '', '#/');
  };
  follow();
  addEventListener('hashchange', follow);
}

export function parse(fragment: string): Place {
  const link = /^#(invite|recover)=([\w-]+)$/.exec(fragment);
  if (link?.[2]) return { at: link[1] === 'invite' ? 'invitation' : 'recovery', code: link[2] };
  const user = /^#\/user\/([\w-]+)$/.exec(fragment);
  if (user?.[1]) return { at: 'user', id: user[1] };
  const list = /^#\/customers(?:\?state=(\w+))?$/.exec(fragment);
  if (list) return list[1] ? { at: 'search', state: list[1] } : { at: 'search' };
  const at = named.find((name) => fragment === `#/${name}`);
  return { at: at ?? 'overview' };
}

export function go(to: Exclude<Place, { readonly code: string }>): void {
  location.hash = addresses(to);
}

function addresses(to: Exclude<Place, { readonly code: string }>): string {
  switch (to.at) {
    case 'user':
      return `#/user/${to.id}`;
    case 'search':
      return `#/customers${to.state ? `?state=${to.state}` : ''}`;
    case 'overview':
      return '#/';
    default:
      return `#/${to.at}`;
  }
}

/** Leaves the landing page for the console: its code is used up or not wanted. */
export function passLanding(): void {
  place.value = { at: 'overview' };
}
