import { parseJsonObject } from '../base/strict-json.ts';

/** One act, as the device signs it. */
export interface Entry {
  /** From 1, without a gap. */
  readonly seq: number;
  /** The SHA-256 of the bytes of the act before; for the first, of the device's id. Base64url. */
  readonly prev: string;
  /** Unix seconds by the device's clock, uncorrected. */
  readonly at: number;
  readonly feature: string;
  /** The jti of the document held. */
  readonly document: string;
  readonly action: string;
  /** Any JSON value. */
  readonly payload: unknown;
}

/** The exact text of an entry: the chain's hashes and the signature cover its UTF-8 bytes. */
export function encodeEntry({ seq, prev, at, feature, document, action, payload }: Entry): string {
  return JSON.stringify({ seq, prev, at, feature, document, action, payload });
}

/** Reads a stored text, which this package has written. Anything else is read as an empty entry. */
export function decodeEntry(text: string): Entry {
  return { ...blank, ...parseJsonObject(new TextEncoder().encode(text)) };
}

const blank: Entry = { seq: 0, prev: '', at: 0, feature: '', document: '', action: '', payload: null };
