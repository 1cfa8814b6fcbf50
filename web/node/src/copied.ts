/** After a failure, how long to wait before the next try, in milliseconds. */
const pace = 1000;

/** The last copy of something that is fetched when a user needs a newer one, by one fetch at a time. */
export class Copied<T> {
  readonly #fetch: () => Promise<T>;
  readonly #now: () => number;
  readonly #maxStale: number;
  #copy: { readonly value: T; readonly fetched: number } | undefined;
  #failure: { readonly error: unknown; readonly at: number } | undefined;
  #running: Promise<T> | undefined;

  constructor(fetch: () => Promise<T>, now: () => number, maxStale: number) {
    this.#fetch = fetch;
    this.#now = now;
    this.#maxStale = maxStale;
  }

  /**
   * A copy that is fresh: `until(value, fetched)` is later than now, in milliseconds. While the issuer is out of reach, an
   * older one at once, up to the bound for stale copies; then it rejects.
   */
  async get(until: (value: T, fetched: number) => number): Promise<T> {
    const now = this.#now();
    const copy = this.#copy;
    if (copy && now < until(copy.value, copy.fetched)) return copy.value;
    const usable = copy && now - copy.fetched < this.#maxStale ? copy : undefined;
    const failure = this.#failure;
    if (failure && now - failure.at < pace) {
      if (usable) return usable.value;
      throw failure.error;
    }
    this.#running ??= this.#refresh().finally(() => {
      this.#running = undefined;
    });
    if (!usable) return this.#running;
    const kept = this.#running.catch(() => usable.value);
    return failure ? usable.value : kept;
  }

  async #refresh(): Promise<T> {
    const fetched = this.#now();
    try {
      const value = await this.#fetch();
      this.#copy = { value, fetched };
      this.#failure = undefined;
      return value;
    } catch (error) {
      this.#failure = { error, at: this.#now() };
      throw error;
    }
  }
}
