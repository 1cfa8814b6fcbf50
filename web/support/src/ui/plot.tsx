import { thousands } from '@holdfast/kit/when.ts';
import { locale, t } from '@holdfast/kit/words.ts';
import { useEffect, useRef } from 'preact/hooks';
import { type Days, dayWords } from '../words/overview.ts';

/** The plotting library is loaded with the first plot. */
const plotting = () => Promise.all([import('uplot'), import('uplot/dist/uPlot.min.css')]);

const height = 132;

/** Half a bar's width at either end. */
const halfDay = 43_200;

/** Bars of one number a day. The picture says nothing that the table beside it does not. */
export function Plot({ days, what }: { days: Days; what: string }) {
  const place = useRef<HTMLDivElement>(null);
  useEffect(() => {
    const dark = matchMedia('(prefers-color-scheme: dark)');
    let drawn: { destroy(): void; setSize(size: { width: number; height: number }): void } | undefined;
    let gone = false;
    const draw = async () => {
      const [{ default: UPlot }] = await plotting();
      const element = place.current;
      if (gone || !element) return;
      drawn?.destroy();
      const bars = UPlot.paths.bars?.({ size: [0.72, 32], radius: 0.15 });
      const style = getComputedStyle(element);
      const color = (name: string) => style.getPropertyValue(name).trim();
      const axis = {
        stroke: color('--ink-soft'),
        font: `12px ${color('--sans')}`,
        ticks: { show: false },
      };
      const grid = { stroke: color('--line'), width: 1 };
      drawn = new UPlot(
        {
          width: element.clientWidth,
          height,
          padding: [8, 8, 0, 0],
          legend: { show: false },
          cursor: { show: false },
          scales: {
            x: { time: true, range: (_plot, first, last) => [first - halfDay, last + halfDay] },
            y: { range: (_plot, _low, high) => [0, Math.max(4, high * 1.1)] },
          },
          axes: [
            { ...axis, grid: { show: false }, size: 24, space: 56, values: (_plot, starts) => starts.map(dayWords) },
            {
              ...axis,
              grid,
              size: 48,
              space: 32,
              incrs: [1, 2, 5]
                .flatMap((n) => [n, 10 * n, 100 * n, 1e3 * n, 1e4 * n, 1e5 * n, 1e6 * n])
                .sort((a, b) => a - b),
              values: (_plot, counts) => counts.map((count) => compact(count)),
            },
          ],
          series: [
            {},
            {
              fill: color('--accent'),
              stroke: color('--accent'),
              width: 0,
              points: { show: false },
              ...(bars && { paths: bars }),
            },
          ],
          tzDate: (seconds) => UPlot.tzDate(new Date(seconds * 1000), 'Etc/UTC'),
        },
        [[...days.starts], [...days.counts]],
        element,
      );
    };
    const size = new ResizeObserver(() => drawn?.setSize({ width: place.current?.clientWidth ?? 0, height }));
    const redraw = () => void draw();
    dark.addEventListener('change', redraw);
    if (place.current) size.observe(place.current);
    redraw();
    return () => {
      gone = true;
      dark.removeEventListener('change', redraw);
      size.disconnect();
      drawn?.destroy();
    };
  }, [days]);
  return (
    <>
      <div class="plot" ref={place} aria-hidden="true" />
      <details class="numbers">
        <summary>
          {t('The numbers')}
          <span class="unseen">: {what}</span>
        </summary>
        <table>
          <thead>
            <tr>
              <th scope="col">{t('Day (UTC)')}</th>
              <th scope="col">{what}</th>
            </tr>
          </thead>
          <tbody>
            {days.starts.map((start, n) => (
              <tr key={start}>
                <th scope="row">{dayWords(start)}</th>
                <td>{thousands(days.counts[n] ?? 0)}</td>
              </tr>
            ))}
          </tbody>
        </table>
      </details>
    </>
  );
}

const compact = (count: number) => new Intl.NumberFormat(locale(), { notation: 'compact' }).format(count);
