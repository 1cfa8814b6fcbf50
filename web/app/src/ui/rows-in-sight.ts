/** Rows of a list: from the first to before the second. */
export interface Rows {
  readonly from: number;
  readonly to: number;
}

/** Extra rows rendered beyond both edges, so that Tab finds the next one and a quick scroll shows no gaps. */
const margin = 12;

/** The range changes in steps of this many rows, not with every pixel. */
const step = 8;

/**
 * Which of `count` rows of height `row` to render when the window begins `top` below the first one and is `height` high; all
 * in pixels. Rendering only these keeps a list of thousands as quick as a short one.
 */
export function rowsInSight(count: number, row: number, top: number, height: number): Rows {
  const down = (at: number) => Math.floor(at / step) * step;
  // At least one row, even if the list is now shorter than the scroll position: the row height is measured on a row.
  const from = Math.max(0, down(Math.min(Math.floor(top / row) - margin, count - 1)));
  const last = Math.ceil((top + height) / row) + margin;
  const to = Math.min(count, Math.max(from, down(last + step - 1)));
  return { from, to };
}
