/** Returns `last` if `next` has the same JSON, so that an unchanged value keeps its identity. */
export function same<T>(last: T, next: T): T {
  return JSON.stringify(last) === JSON.stringify(next) ? last : next;
}
