/** See {@link Holdfast.link}. */
export interface LinkOptions {
  /** The device to replace when the plan's limit is reached. */
  readonly replaces?: string;
}
