'use client';
import { emptyHoldfast, openHoldfast } from '@holdfast/client';
import { createContext, createElement, Fragment, useContext, useEffect, useMemo, useSyncExternalStore, } from 'react';
/** The clients of providers with options, by origin and database: as many providers as there are share one. */
const opened = new Map();
const given = new WeakMap();
const empty = emptyHoldfast();
const Context = createContext(null);
function begin(client) {
    const opening = {
        users: 0,
        settled: Promise.resolve(client).then((client) => {
            opening.client = client;
        }, (error) => {
            opening.error = error;
        }),
    };
    if (!(client instanceof Promise))
        opening.client = client;
    return opening;
}
function take(openings, key, make) {
    const known = openings.get(key);
    if (known)
        return known;
    const opening = make();
    openings.set(key, opening);
    return opening;
}
/** Closes the client after the last provider's end, unless React only pretends to unmount it, as StrictMode does. */
function hold(key, opening) {
    opening.users += 1;
    return () => {
        opening.users -= 1;
        setTimeout(() => {
            if (opening.users > 0 || opened.get(key) !== opening)
                return;
            opened.delete(key);
            void opening.settled.then(() => opening.client?.close());
        });
    };
}
/**
 * Provides the hooks below with a client. Until it is open, what uses them suspends. Rendered on a server, nobody is signed
 * in, and hydration begins with that.
 *
 * @example
 * <HoldfastProvider options={{ origin: 'https://app.example.org', roots }}>
 *   <Suspense fallback={<Splash />}><App /></Suspense>
 * </HoldfastProvider>
 */
export function HoldfastProvider({ options, client, children }) {
    const key = options ? `${options.origin} ${options.database ?? ''}` : null;
    const serves = typeof document === 'undefined';
    const opening = options
        ? serves
            ? null
            : take(opened, key, () => begin(openHoldfast(options)))
        : take(given, client, () => begin(client));
    useEffect(() => (key !== null && opening ? hold(key, opening) : undefined), [key, opening]);
    return createElement(Context.Provider, { value: opening ?? begin(empty) }, children);
}
/**
 * The snapshot of the provider's client, and the client as `hf`. Renders again after each change.
 *
 * @example
 * const { user, hf } = useHoldfast();
 * return user ? <p>{user.name}</p> : <button onClick={() => hf.signIn()}>Sign in</button>;
 */
export function useHoldfast() {
    const hf = useClient();
    const snapshot = useSyncExternalStore(hf.subscribe, hf.snapshot, empty.snapshot);
    return useMemo(() => ({ ...snapshot, hf }), [snapshot, hf]);
}
/**
 * Whether the feature may be used now. Renders again only when that changes.
 *
 * @example
 * <button disabled={!useFeature('export')}>Export</button>
 */
export function useFeature(name) {
    const hf = useClient();
    return useSyncExternalStore(hf.subscribe, () => hf.has(name), () => false);
}
/**
 * Shows its children while the feature may be used, otherwise `fallback`.
 *
 * @example
 * <Feature name="export" fallback={<Upgrade />}><Export /></Feature>
 */
export function Feature({ name, fallback, children, }) {
    return createElement(Fragment, null, useFeature(name) ? children : fallback);
}
/** Throws the promise of a client that is not open yet, which React 18 and 19 wait for. */
function useClient() {
    const opening = useContext(Context);
    if (!opening)
        throw new Error('<HoldfastProvider> is missing around this component');
    if (opening.error)
        throw opening.error;
    if (!opening.client)
        throw opening.settled;
    return opening.client;
}
//# sourceMappingURL=index.js.map