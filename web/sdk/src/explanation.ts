import type { JsonObject } from './strict-json.ts';

/**
 * What the server says of the user's rights at this moment. It is not signed: for words alone, never to decide by.
 *
 * @example
 * const { reason, since } = await session.explain();
 * if (reason === "lapsed") say(`Your subscription has ended on ${since?.toLocaleDateString()}`);
 */
export interface Explanation {
  readonly state: string;
  readonly reason: string | null;
  /** The same number as that of the entitlement which it explains. */
  readonly revision: number;
  /** Since when it is so; null: there is nothing to tell. */
  readonly since: Date | null;
  /** Where the user can turn, `https:` or `mailto:`; null: nowhere. */
  readonly helpUrl: string | null;
}

/** Reads the answer of the server; null if it is none. */
export function readExplanation({ state, reason, revision, since, help_url }: JsonObject): Explanation | null {
  if (typeof state !== 'string' || typeof revision !== 'number') return null;
  const time = new Date(String(since ?? ''));
  const leads = typeof help_url === 'string' && /^(https|mailto):/.test(help_url);
  return {
    state,
    reason: typeof reason === 'string' ? reason : null,
    revision,
    since: Number.isNaN(time.getTime()) ? null : time,
    helpUrl: leads ? help_url : null,
  };
}
