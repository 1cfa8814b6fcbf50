/**
 * A feature that a plan grants, under one name. Without `limit` it is unlimited.
 *
 * @example
 * const notes: Feature = { limit: 500 };
 */
export interface Feature {
  readonly limit?: number;
}
