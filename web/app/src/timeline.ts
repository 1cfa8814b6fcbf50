import type { Entitlement } from '@holdfast/client';
import { inWords } from '@holdfast/kit/when.ts';
import { sentences, t } from '@holdfast/kit/words.ts';

/** The kind of a moment in a document's life. */
export type Event = 'issued' | 'refresh' | 'paid' | 'end';

/** A moment and its position (0 to 1) in the picture's width. */
export interface Mark {
  readonly event: Event;
  readonly time: Date;
  readonly at: number;
}

/** The life of this device's document, drawn from left to right. */
export interface Timeline {
  readonly marks: readonly Mark[];
  /** The position of "now"; null: this device's clock is not trusted. */
  readonly now: number | null;
  /** The picture in one or two sentences, for screen readers. */
  readonly text: string;
}

/**
 * Draws the document's life from its issue to its end, or to now if that is later. Null if there is nothing to draw: no
 * document, or one that grants nothing and so has no end.
 */
export function timeline(entitlement: Entitlement, now: Date, locale?: string): Timeline | null {
  const { state, lastContact: issued, until: end, refreshAfter, paidThrough, error } = entitlement;
  const ended = state === 'expired' && error !== null;
  if (state !== 'active' && state !== 'grace' && state !== 'clock_behind' && !ended) return null;
  if (!issued || !end || end <= issued) return null;

  const believed = state !== 'clock_behind';
  const last = believed && now > end ? now : end;
  const share = (time: Date) => (time.getTime() - issued.getTime()) / (last.getTime() - issued.getTime());
  const mark = (event: Event, time: Date | null): Mark[] =>
    time && time >= issued && time <= last ? [{ event, time, at: share(time) }] : [];
  const marks = [
    ...mark('issued', issued),
    ...mark('refresh', refreshAfter),
    ...mark('paid', paidThrough),
    ...mark('end', end),
  ];
  return {
    marks: marks.sort((a, b) => a.at - b.at),
    now: believed ? Math.min(1, Math.max(0, share(now))) : null,
    text: inSentences(marks, entitlement, now, locale),
  };
}

function inSentences(marks: readonly Mark[], { until, paidThrough }: Entitlement, now: Date, locale?: string): string {
  const say = (time: Date) => inWords(time, now, locale);
  const events = marks.map(({ event, time }) => names[event](say(time), time > now)).join(', ');
  return sentences(
    `${events.charAt(0).toLocaleUpperCase()}${events.slice(1)}.`,
    until &&
      paidThrough &&
      paidThrough > until &&
      t('The subscription runs until {paidThrough}.', { paidThrough: say(paidThrough) }),
  );
}

const names: Record<Event, (time: string, ahead: boolean) => string> = {
  issued: (time) => t('issued {time}', { time }),
  refresh: (time, ahead) =>
    ahead ? t('to be renewed from {time}', { time }) : t('due for renewal since {time}', { time }),
  paid: (time, ahead) =>
    ahead ? t('subscription runs until {time}', { time }) : t('subscription ran until {time}', { time }),
  end: (time, ahead) => (ahead ? t('works offline until {time}', { time }) : t('ended {time}', { time })),
};
