import { isObject } from './strict-json.ts';

/**
 * The person that a passkey belongs to, as stored on this device and available offline.
 *
 * @example
 * greeting.textContent = hf.user ? `Hello, ${hf.user.name}` : "Not signed in";
 */
export interface User {
  /** UUID, never changes. */
  readonly id: string;
  readonly name: string;
}

/** Reads a user from storage or an answer; null if it is not one. */
export function readUser(value: unknown): User | null {
  if (!isObject(value)) return null;
  const { id, name } = value;
  return typeof id === 'string' && id !== '' && typeof name === 'string' ? Object.freeze({ id, name }) : null;
}
