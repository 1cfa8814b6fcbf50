/** Milliseconds of work at a stretch: half of a frame, so that the page keeps answering. */
const slice = 8;

/** See {@link inSlices}. */
export interface SliceOptions {
  /** Ends the work between two slices; the promise then rejects with the signal's reason. */
  readonly signal?: AbortSignal;
  /** Called between two slices with the number of steps done; work that fits into one slice never calls it. */
  readonly onProgress?: (done: number) => void;
}

/** Does `count` steps, and lets the browser do what it has to in between. */
export async function inSlices(
  count: number,
  step: (at: number) => void,
  { signal, onProgress }: SliceOptions = {},
): Promise<void> {
  let end = performance.now() + slice;
  for (let at = 0; at < count; at++) {
    step(at);
    if (performance.now() < end) continue;
    onProgress?.(at + 1);
    await new Promise((resolve) => setTimeout(resolve));
    signal?.throwIfAborted();
    end = performance.now() + slice;
  }
}
