'use client';

import { emptyHoldfast, type Holdfast, type Options, openHoldfast, type Snapshot } from '@holdfast/client';
import {
  createContext,
  createElement,
  Fragment,
  type ReactElement,
  type ReactNode,
  useContext,
  useEffect,
  useMemo,
  useSyncExternalStore,
} from 'react';

/**
 * An app names its features here, so that a misspelt one does not compile.
 *
 * @example
 * declare module '@holdfast/react' {
 *   interface Register { feature: 'export' | 'sync' }
 * }
 */
// biome-ignore lint/suspicious/noEmptyInterface: apps add to it
export interface Register {}

/** The names of the app's features; any, unless {@link Register} names them. */
export type FeatureName = Register extends { feature: infer F extends string } ? F : string;

/** A client that opens: what reads it before waits for `settled`. */
interface Opening {
  readonly settled: Promise<void>;
  client?: Holdfast<FeatureName>;
  error?: unknown;
  /** The mounted providers that opened it; the last one closes it. */
  users: number;
}

/** The clients of providers with options, by origin and database: as many providers as there are share one. */
const opened = new Map<string, Opening>();
const given = new WeakMap<object, Opening>();
const empty = emptyHoldfast<FeatureName>();
const Context = createContext<Opening | null>(null);

function begin(client: Holdfast<FeatureName> | Promise<Holdfast<FeatureName>>): Opening {
  const opening: Opening = {
    users: 0,
    settled: Promise.resolve(client).then(
      (client) => {
        opening.client = client;
      },
      (error: unknown) => {
        opening.error = error;
      },
    ),
  };
  if (!(client instanceof Promise)) opening.client = client;
  return opening;
}

function take<K>(
  openings: { get(key: K): Opening | undefined; set(key: K, opening: Opening): unknown },
  key: K,
  make: () => Opening,
): Opening {
  const known = openings.get(key);
  if (known) return known;
  const opening = make();
  openings.set(key, opening);
  return opening;
}

/** Closes the client after the last provider's end, unless React only pretends to unmount it, as StrictMode does. */
function hold(key: string, opening: Opening): () => void {
  opening.users += 1;
  return () => {
    opening.users -= 1;
    setTimeout(() => {
      if (opening.users > 0 || opened.get(key) !== opening) return;
      opened.delete(key);
      void opening.settled.then(() => opening.client?.close());
    });
  };
}

/**
 * Either the options of a client that the provider opens once, when it is first rendered, and closes; or a client, or its
 * promise, that the app has opened.
 */
export type ProviderProps = { readonly children?: ReactNode } & (
  | { readonly options: Options; readonly client?: never }
  | { readonly client: Holdfast<FeatureName> | Promise<Holdfast<FeatureName>>; readonly options?: never }
);

/**
 * Provides the hooks below with a client. Until it is open, what uses them suspends. Rendered on a server, nobody is signed
 * in, and hydration begins with that.
 *
 * @example
 * <HoldfastProvider options={{ origin: 'https://app.example.org', roots }}>
 *   <Suspense fallback={<Splash />}><App /></Suspense>
 * </HoldfastProvider>
 */
export function HoldfastProvider({ options, client, children }: ProviderProps): ReactElement {
  const key = options ? `${options.origin} ${options.database ?? ''}` : null;
  const serves = typeof document === 'undefined';
  const opening = options
    ? serves
      ? null
      : take(opened, key as string, () => begin(openHoldfast<FeatureName>(options)))
    : take(given, client, () => begin(client));
  useEffect(() => (key !== null && opening ? hold(key, opening) : undefined), [key, opening]);
  return createElement(Context.Provider, { value: opening ?? begin(empty) }, children);
}

/** Everything that a page shows, and the client itself. */
export interface HoldfastValue extends Snapshot<FeatureName> {
  /** For signing in and all else that is not shown. */
  readonly hf: Holdfast<FeatureName>;
}

/**
 * The snapshot of the provider's client, and the client as `hf`. Renders again after each change.
 *
 * @example
 * const { user, hf } = useHoldfast();
 * return user ? <p>{user.name}</p> : <button onClick={() => hf.signIn()}>Sign in</button>;
 */
export function useHoldfast(): HoldfastValue {
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
export function useFeature(name: FeatureName): boolean {
  const hf = useClient();
  return useSyncExternalStore(
    hf.subscribe,
    () => hf.has(name),
    () => false,
  );
}

/**
 * Shows its children while the feature may be used, otherwise `fallback`.
 *
 * @example
 * <Feature name="export" fallback={<Upgrade />}><Export /></Feature>
 */
export function Feature({
  name,
  fallback,
  children,
}: {
  readonly name: FeatureName;
  readonly fallback?: ReactNode;
  readonly children?: ReactNode;
}): ReactElement {
  return createElement(Fragment, null, useFeature(name) ? children : fallback);
}

/** Throws the promise of a client that is not open yet, which React 18 and 19 wait for. */
function useClient(): Holdfast<FeatureName> {
  const opening = useContext(Context);
  if (!opening) throw new Error('<HoldfastProvider> is missing around this component');
  if (opening.error) throw opening.error;
  if (!opening.client) throw opening.settled;
  return opening.client;
}
