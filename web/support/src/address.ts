import { signal } from '@preact/signals';

/** Where the staff member is. Kept in the address's fragment, which never reaches the server. */
export type Place =
  | { readonly at: 'search' }
  | { readonly at: 'user'; readonly id: string }
  | { readonly at: 'gaps' }
  | { readonly at: 'audit' }
  | { readonly at: 'plans' }
  | { readonly at: 'webhooks' }
  | { readonly at: 'staff' }
  /** The landing of a one-time link: a new staff member's, or one who has lost every passkey. */
  | { readonly at: 'invitation' | 'recovery'; readonly code: string };

/** Those that are called in the address as they are called here. */
const named = ['gaps', 'audit', 'plans', 'webhooks', 'staff'] as const;

export const place = signal<Place>({ at: 'search' });

/** Follows the address from now on. */
export function followAddress(): void {
  const follow = () => {
    place.value = parse(location.hash);
    // The code is a secret and works once: it does not stay in the address and the history.
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
  const at = named.find((name) => fragment === `#/${name}`);
  return { at: at ?? 'search' };
}

export function go(to: Exclude<Place, { readonly code: string }>): void {
  location.hash = to.at === 'user' ? `#/user/${to.id}` : to.at === 'search' ? '#/' : `#/${to.at}`;
}

/** The code of the landing is used up, or not wanted: on to the console. */
export function passLanding(): void {
  place.value = { at: 'search' };
}
