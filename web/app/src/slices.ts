/** Milliseconds of work without a pause: half a frame, so that the page stays responsive. */
const slice = 8;

/** See {@link inSlices}. */
export interface SliceOptions {
  /** Ends the work between two slices; the promise then rejects with the signal's reason. */
  readonly signal?: AbortSignal;
  /** Called between two slices with the number of steps done; work that fits into one slice never calls it. */
  readonly onProgress?: (done: number) => void;
}

/** Runs `count` steps and yields to the browser between slices. */
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
