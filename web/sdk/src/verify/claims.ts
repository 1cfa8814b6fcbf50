import { HoldfastError } from '../base/error.ts';
import { isObject, type JsonObject } from '../base/strict-json.ts';

/** Claims reads claims by name and type. A mismatch throws `claims_invalid`; other claims are ignored. */
export class Claims {
  readonly #values: JsonObject;

  /** `name` names `values` in the error if it is not an object. */
  constructor(values: unknown, name: string) {
    require(isObject(values), name);
    this.#values = values;
  }

  get(name: string): unknown {
    return Object.hasOwn(this.#values, name) ? this.#values[name] : undefined;
  }

  /** A non-empty string. */
  text(name: string): string {
    const value = this.get(name);
    require(typeof value === 'string' && value !== '', name);
    return value;
  }

  /** A non-negative integer that JSON carries exactly. */
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
