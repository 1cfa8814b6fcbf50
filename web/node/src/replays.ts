import { nonceLife, tolerance } from './nonces.ts';

/**
 * Remembers proofs, so that none passes twice. Only proofs that pass every other check are added. Replicas that share a
 * nonce secret need a store that they share too.
 *
 * @example
 * // With node-redis: atomic, and gone by itself.
 * const replays: ReplayStore = {
 *   add: async (id, life) => (await redis.set(`proof:${id}`, '1', { NX: true, PX: life })) !== null,
 * };
 */
export interface ReplayStore {
  /**
   * Adds an id for `life` milliseconds, unless it is there; says whether it was added. Both must be one atomic step. When it
   * rejects, the guard refuses the request with 503.
   */
  add(id: string, life: number): boolean | Promise<boolean>;
}

/** How long a proof must be remembered: as long as its nonce can be valid. */
export const replayLife = nonceLife + tolerance;

/** Remembers the proofs of one process: two generations of ids, of which the older is dropped as a whole. */
export class MemoryReplays implements ReplayStore {
  readonly #now: () => number;
  #younger = new Set<string>();
  #older = new Set<string>();
  #turn = 0;

  constructor(now: () => number = Date.now) {
    this.#now = now;
  }

  add(id: string, life: number): boolean {
    const now = this.#now();
    if (now >= this.#turn) {
      this.#older = now < this.#turn + life ? this.#younger : new Set();
      this.#younger = new Set();
      this.#turn = now + life;
    }
    if (this.#younger.has(id) || this.#older.has(id)) return false;
    this.#younger.add(id);
    return true;
  }
}
