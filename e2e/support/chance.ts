import { randomInt } from 'node:crypto';

/** Random choices, reproducible by a seed: HOLDFAST_SEED, or a random one. */
export class Chance {
  readonly seed: number;
  #state: number;

  constructor(seed = Number(process.env.HOLDFAST_SEED ?? randomInt(2 ** 31))) {
    this.seed = seed;
    this.#state = seed;
  }

  /** From 0 to less than 1. The generator is mulberry32 by Tommy Ettinger, which need not be unpredictable. */
  number(): number {
    this.#state = (this.#state + 0x6d2b79f5) | 0;
    let bits = Math.imul(this.#state ^ (this.#state >>> 15), 1 | this.#state);
    bits = (bits + Math.imul(bits ^ (bits >>> 7), 61 | bits)) ^ bits;
    return ((bits ^ (bits >>> 14)) >>> 0) / 2 ** 32;
  }

  pick<T>(choices: readonly T[]): T {
    return choices[Math.floor(this.number() * choices.length)] as T;
  }

  shuffled<T>(items: readonly T[]): T[] {
    return items
      .map((item) => ({ item, place: this.number() }))
      .sort((a, b) => a.place - b.place)
      .map(({ item }) => item);
  }
}
