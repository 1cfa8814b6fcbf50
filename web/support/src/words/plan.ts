import type { Plan } from '@holdfast/api';
import { thousands } from '@holdfast/kit/when.ts';
import { t } from '@holdfast/kit/words.ts';
import { span } from './time.ts';
import { featureWords } from './why.ts';

/** The effects of a plan change on its holders, line by line, losses first. */
export function planChanges(before: Plan | null, after: Plan): { text: string; loss: boolean }[] {
  if (!before) return [];
  const lines: { text: string; loss: boolean }[] = [];
  for (const [name, had] of Object.entries(before.features)) {
    const has = after.features[name];
    if (!has) lines.push({ text: t('{name} is taken away', { name }), loss: true });
    else {
      if (had.offline && !has.offline) lines.push({ text: t('{name} works online only', { name }), loss: true });
      if (!had.offline && has.offline) lines.push({ text: t('{name} works offline, too', { name }), loss: false });
      if (had.limit !== has.limit) {
        const loss = has.limit !== undefined && (had.limit === undefined || has.limit < had.limit);
        lines.push({ text: change(name, limit(had.limit), limit(has.limit)), loss });
      }
    }
  }
  for (const name of Object.keys(after.features)) {
    if (!before.features[name]) lines.push({ text: t('{name} is given', { name }), loss: false });
  }
  if (before.grace !== after.grace) {
    lines.push({ text: change(t('grace'), span(before.grace), span(after.grace)), loss: after.grace < before.grace });
  }
  if (before.window !== after.window) {
    const loss = after.window !== null && (before.window === null || after.window < before.window);
    lines.push({ text: change(t('offline at most'), life(before.window), life(after.window)), loss });
  }
  if (before.device_limit !== after.device_limit) {
    lines.push({
      text: change(t('devices'), before.device_limit, after.device_limit),
      loss: after.device_limit < before.device_limit,
    });
  }
  if (before.rank !== after.rank) lines.push({ text: change(t('rank'), before.rank, after.rank), loss: false });
  return lines.sort((a, b) => Number(b.loss) - Number(a.loss));
}

/** A plan in one line. */
export function planWords(plan: Plan): string {
  return t(
    '{features}. Grace {grace}, offline at most {window}, up to {devices, plural, one {# device} other {# devices}}, rank {rank}.',
    {
      features: featureWords(plan.features),
      grace: span(plan.grace),
      window: life(plan.window),
      devices: plan.device_limit,
      rank: plan.rank,
    },
  );
}

function change(what: string, before: string | number, after: string | number): string {
  return `${what}: ${before} → ${after}`;
}

function limit(most: number | undefined): string {
  return most === undefined ? t('without limit') : thousands(most);
}

function life(window: number | null): string {
  return window === null ? t('as the server allows') : span(window);
}
