// Rules for acts that touch the same thing. They are pure, and by the server's order, which all devices see alike.

/**
 * The version that was written last: the one with the highest position. A version without a position waits here for its
 * verdict, and comes after all others.
 *
 * @example
 * const { payload } = lastWriter([known, action]);
 */
export function lastWriter<T extends { readonly position?: number | undefined }>(versions: readonly [T, ...T[]]): T {
  const place = ({ position = Number.POSITIVE_INFINITY }: T) => position;
  return versions.reduce((last, next) => (place(next) >= place(last) ? next : last));
}

/**
 * The versions to keep of two that were made from `base`: one if only one side changed it, or both alike; otherwise both,
 * theirs first. Compared as JSON.
 *
 * @example
 * const [note, other] = keepBoth({ base, mine, theirs });
 * if (other !== undefined) showConflict(note, other);
 */
export function keepBoth<T>({ base, mine, theirs }: { base: T; mine: T; theirs: T }): readonly [T] | readonly [T, T] {
  const [before, here, there] = [base, mine, theirs].map(canonical);
  if (here === before || here === there) return [theirs];
  return there === before ? [mine] : [theirs, mine];
}

/** JSON with the members of objects in order. */
function canonical(value: unknown): string | undefined {
  return JSON.stringify(value, (_, part: unknown) =>
    typeof part === 'object' && part !== null && !Array.isArray(part)
      ? Object.fromEntries(Object.entries(part).sort(([a], [b]) => (a < b ? -1 : 1)))
      : part,
  );
}
