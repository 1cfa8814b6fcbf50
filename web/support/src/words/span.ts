const units: readonly (readonly [RegExp, number])[] = [
  [/^(d|days?|tage?)$/, 86_400],
  [/^(h|hours?|stunden?)$/, 3_600],
  [/^(m|min|minutes?|minuten)$/, 60],
  [/^(s|sec|seconds?|sekunden?)$/, 1],
];

/** The seconds of a typed duration, in the format of {@link span}: "7 days", "36h", "none", in any language on offer; null: not a duration. */
export function parseSpan(text: string): number | null {
  const typed = text.trim().toLowerCase();
  if (typed === 'none' || typed === 'keine' || typed === '0') return 0;
  const match = /^(\d{1,9}) *([a-z]+)$/.exec(typed);
  const unit = units.find(([name]) => name.test(match?.[2] ?? ''));
  return match && unit ? Number(match[1]) * unit[1] : null;
}
