import { t } from '@holdfast/kit/words.ts';
import type { ComponentChildren } from 'preact';
import { entitlement, now } from '../../client.ts';
import { type Event, timeline } from '../../timeline.ts';

/** The life of this device's document: a line from its issue to its end, with now marked on it. */
export function TimelinePicture() {
  const line = timeline(entitlement.value, now.value);
  if (!line) return null;
  const at = (event: Event) => line.marks.find((mark) => mark.event === event)?.at;
  const [end = 1, paid = end, today = 0] = [at('end'), at('paid'), line.now ?? 0];
  return (
    <svg class="timeline" role="img" aria-label={line.text}>
      <Stretch kind="after" from={end} to={1} />
      <Stretch kind="past" from={0} to={Math.min(today, end)} />
      <Stretch kind="ahead" from={Math.min(today, end)} to={Math.min(end, Math.max(today, paid))} />
      <Stretch kind="grace" from={Math.min(end, Math.max(today, paid))} to={end} />
      {line.marks.map(({ event, at }) => (
        <Place key={event} at={at}>
          <Shape event={event} />
        </Place>
      ))}
      {line.now !== null && (
        <Place at={line.now}>
          <path class="now" d="M0 -15v30" />
          <text class="now-label" y="-20" text-anchor={line.now < 0.06 ? 'start' : line.now > 0.94 ? 'end' : 'middle'}>
            {t('Now')}
          </text>
        </Place>
      )}
    </svg>
  );
}

/** The same shape beside its text, as the legend; null: its place only, so that all texts line up. */
export function MarkShape({ event }: { event: Event | null }) {
  return (
    <svg class="mark-shape" viewBox="-8 -8 16 16" aria-hidden="true">
      {event && <Shape event={event} />}
    </svg>
  );
}

function Stretch({ kind, from, to }: { kind: string; from: number; to: number }) {
  if (to <= from) return null;
  return <rect class={`stretch ${kind}`} x={percent(from)} width={percent(to - from)} y="30" height="4" />;
}

/** SVG percentages work for whole elements only, not inside paths, so each shape has its own svg element. */
function Place({ at, children }: { at: number; children: ComponentChildren }) {
  return (
    <svg x={percent(at)} y="32" overflow="visible" aria-hidden="true">
      {children}
    </svg>
  );
}

function Shape({ event }: { event: Event }) {
  switch (event) {
    case 'issued':
      return <circle class="shape full" r="5" />;
    case 'refresh':
      return <circle class="shape" r="4.5" />;
    case 'paid':
      return <path class="shape" d="M0 -6.5 6.5 0 0 6.5 -6.5 0Z" />;
    case 'end':
      return <rect class="shape full" x="-4.5" y="-4.5" width="9" height="9" rx="1.5" />;
  }
}

function percent(share: number): string {
  return `${(share * 100).toFixed(2)}%`;
}
