import { HoldfastError } from './error.ts';
import { isObject, type JsonObject } from './strict-json.ts';

/** Reads claims by name and type; whatever does not fit is `claims_invalid`. Other claims are passed over. */
export class Claims {
  readonly #values: JsonObject;

  /** `name` is what `values` is called where it is no object. */
  constructor(values: unknown, name: string) {
    require(isObject(values), name);
    this.#values = values;
  }

  get(name: string): unknown {
    return Object.hasOwn(this.#values, name) ? this.#values[name] : undefined;
  }

  /** A string that is not empty. */
  text(name: string): string {
    const value = this.get(name);
    require(typeof value === 'string' && value !== '', name);
    return value;
  }

  /** An integer from 0 on that JSON carries exactly. */
  integer(name: string): number {
    const value = this.get(name);
    require(isCount(value), name);
    return value;
  }

  /** Unix seconds that a Date can hold. */
  time(name: string): number {
    const value = this.integer(name);
    require(value <= 8.64e12, name);
    return value;
  }

  object(name: string): Claims {
    return new Claims(this.get(name), name);
  }

  list(name: string): readonly unknown[] {
    const value = this.get(name);
    require(Array.isArray(value), name);
    return value;
  }

  entries(): [string, unknown][] {
    return Object.entries(this.#values);
  }
}

export function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}

/** Throws `claims_invalid` and names the claim. */
export function require(condition: boolean, name: string): asserts condition {
  if (!condition) throw new HoldfastError('claims_invalid', `claims_invalid: ${name}`);
}
