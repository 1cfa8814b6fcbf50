/** A JSON object, its members not yet judged. */
export type JsonObject = Readonly<Record<string, unknown>>;

export function isObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/**
 * Reads exactly one JSON object from UTF-8 bytes. Null if it is anything else or if an object in it, at any depth, has a
 * member twice (RFC 7515 §4: parsers differ in which one they believe).
 */
export function parseJsonObject(bytes: Uint8Array<ArrayBuffer>): JsonObject | null {
  try {
    const text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
    const value: unknown = JSON.parse(text);
    return isObject(value) && !hasDuplicateMember(text) ? value : null;
  } catch {
    return null;
  }
}

const token = /"[^"\\]*(?:\\.[^"\\]*)*"|[{}[\],:]/g;

/** `text` is known to be valid JSON, so a string that follows `{` or `,` inside an object is a member's name. */
function hasDuplicateMember(text: string): boolean {
  const open: (Set<string> | null)[] = [];
  let before = '';
  for (const [part] of text.matchAll(token)) {
    const members = open.at(-1);
    if (part === '{') open.push(new Set());
    else if (part === '[') open.push(null);
    else if (part === '}' || part === ']') open.pop();
    else if (members && part.startsWith('"') && (before === '{' || before === ',')) {
      const name: string = JSON.parse(part);
      if (members.has(name)) return true;
      members.add(name);
    }
    before = part;
  }
  return false;
}
