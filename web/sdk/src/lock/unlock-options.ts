/** See {@link Holdfast.unlock}. */
export interface UnlockOptions {
  readonly signal?: AbortSignal;
}
