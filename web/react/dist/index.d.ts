import { type Holdfast, type Options, type Snapshot } from '@holdfast/client';
import { type ReactElement, type ReactNode } from 'react';
/**
 * An app names its features here, so that a misspelt one does not compile.
 *
 * @example
 * declare module '@holdfast/react' {
 *   interface Register { feature: 'export' | 'sync' }
 * }
 */
export interface Register {
}
/** The names of the app's features; any, unless {@link Register} names them. */
export type FeatureName = Register extends {
    feature: infer F extends string;
} ? F : string;
/**
 * Either the options of a client that the provider opens once, when it is first rendered, and closes; or a client, or its
 * promise, that the app has opened.
 */
export type ProviderProps = {
    readonly children?: ReactNode;
} & ({
    readonly options: Options;
    readonly client?: never;
} | {
    readonly client: Holdfast<FeatureName> | Promise<Holdfast<FeatureName>>;
    readonly options?: never;
});
/**
 * Provides the hooks below with a client. Until it is open, what uses them suspends. Rendered on a server, nobody is signed
 * in, and hydration begins with that.
 *
 * @example
 * <HoldfastProvider options={{ origin: 'https://app.example.org', roots }}>
 *   <Suspense fallback={<Splash />}><App /></Suspense>
 * </HoldfastProvider>
 */
export declare function HoldfastProvider({ options, client, children }: ProviderProps): ReactElement;
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
export declare function useHoldfast(): HoldfastValue;
/**
 * Whether the feature may be used now. Renders again only when that changes.
 *
 * @example
 * <button disabled={!useFeature('export')}>Export</button>
 */
export declare function useFeature(name: FeatureName): boolean;
/**
 * Shows its children while the feature may be used, otherwise `fallback`.
 *
 * @example
 * <Feature name="export" fallback={<Upgrade />}><Export /></Feature>
 */
export declare function Feature({ name, fallback, children, }: {
    readonly name: FeatureName;
    readonly fallback?: ReactNode;
    readonly children?: ReactNode;
}): ReactElement;
//# sourceMappingURL=index.d.ts.map