/** See {@link Holdfast.signIn}. */
export interface SignInOptions {
  readonly mediation?: 'conditional';
  readonly signal?: AbortSignal;
}
