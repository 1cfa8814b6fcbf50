/** A JSON object whose members are not yet checked. */
export type JsonObject = Readonly<Record<string, unknown>>;

export function isObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** Deeper than any message, and safe for any parser. */
const maxDepth = 32;

/**
 * Reads exactly one JSON object that all parsers read alike (RFC 7493) from UTF-8 bytes. Null for anything else, for a lone
 * surrogate, for nesting deeper than 32, and for duplicate member names (RFC 7515 §4).
 */
export function parseJsonObject(bytes: Uint8Array): JsonObject | null {
  try {
    const text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
    const value: unknown = JSON.parse(text);
    return isObject(value) && isPlain(text) ? value : null;
  } catch {
    return null;
  }
}

const token = /"[^"\\]*(?:\\.[^"\\]*)*"|[{}[\],:]/g;

/** `text` is known to be valid JSON, so a string that follows `{` or `,` inside an object is a member's name. */
function isPlain(text: string): boolean {
  const open: (Set<string> | null)[] = [];
  let before = '';
  for (const [part] of text.matchAll(token)) {
    if (part === '{') open.push(new Set());
    else if (part === '[') open.push(null);
    else if (part === '}' || part === ']') open.pop();
    else if (part.startsWith('"')) {
      const value: string = JSON.parse(part);
      const names = before === '{' || before === ',' ? open.at(-1) : null;
      if (/\p{Surrogate}/u.test(value) || names?.has(value)) return false;
      names?.add(value);
    }
    if (open.length > maxDepth) return false;
    before = part;
  }
  return true;
}
