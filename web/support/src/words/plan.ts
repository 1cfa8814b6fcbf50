import type { Plan } from '@holdfast/api';
import { span } from './time.ts';
import { featureWords } from './why.ts';

/** The effects of a plan change on its holders, line by line, losses first. */
export function planChanges(before: Plan | null, after: Plan): { text: string; loss: boolean }[] {
  if (!before) return [];
  const lines: { text: string; loss: boolean }[] = [];
  for (const [name, had] of Object.entries(before.features)) {
    const has = after.features[name];
    if (!has) lines.push({ text: `${name} is taken away`, loss: true });
    else {
      if (had.offline && !has.offline) lines.push({ text: `${name} works online only`, loss: true });
      if (!had.offline && has.offline) lines.push({ text: `${name} works offline, too`, loss: false });
      if (had.limit !== has.limit) {
        const loss = has.limit !== undefined && (had.limit === undefined || has.limit < had.limit);
        lines.push({ text: `${name}: ${limit(had.limit)} → ${limit(has.limit)}`, loss });
      }
    }
  }
  for (const name of Object.keys(after.features)) {
    if (!before.features[name]) lines.push({ text: `${name} is given`, loss: false });
  }
  if (before.grace !== after.grace) {
    lines.push({ text: `grace: ${span(before.grace)} → ${span(after.grace)}`, loss: after.grace < before.grace });
  }
  if (before.window !== after.window) {
    const loss = after.window !== null && (before.window === null || after.window < before.window);
    lines.push({ text: `offline at most: ${life(before.window)} → ${life(after.window)}`, loss });
  }
  if (before.device_limit !== after.device_limit) {
    lines.push({
      text: `devices: ${before.device_limit} → ${after.device_limit}`,
      loss: after.device_limit < before.device_limit,
    });
  }
  if (before.rank !== after.rank) lines.push({ text: `rank: ${before.rank} → ${after.rank}`, loss: false });
  return lines.sort((a, b) => Number(b.loss) - Number(a.loss));
}

/** A plan in one line. */
export function planWords(plan: Plan): string {
  return `${featureWords(plan.features)}. Grace ${span(plan.grace)}, offline at most ${life(plan.window)}, up to ${plan.device_limit} devices, rank ${plan.rank}.`;
}

function limit(most: number | undefined): string {
  return most === undefined ? 'without limit' : most.toLocaleString('en-GB');
}

function life(window: number | null): string {
  return window === null ? 'as the server allows' : span(window);
}
