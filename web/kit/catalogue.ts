import { compileMessage } from '@lingui/message-utils/compileMessage';
import { parseSync } from 'vite';
import { expect } from 'vitest';

interface Node {
  readonly type: string;
  readonly [name: string]: unknown;
}

/** Calls `see` with each node; it returns false to skip what is inside. */
function visit(value: unknown, see: (node: Node) => boolean): void {
  if (Array.isArray(value)) for (const each of value) visit(each, see);
  else if (typeof value === 'object' && value !== null) {
    if ('type' in value && !see(value as Node)) return;
    for (const each of Object.values(value)) visit(each, see);
  }
}

/** Attributes that people read. */
const read = /^(aria-label|label|title|alt|placeholder|doing|yes|no|of|what)$/;
/** Calls whose texts nobody reads in the page. */
const internal = /^(console\.\w+|Error|TypeError|DOMException|HoldfastError|matchMedia|querySelector)$/;

/** What the sources of a page say. */
export interface Texts {
  /** The messages given to `t` and `rich`. */
  readonly messages: ReadonlySet<string>;
  /** Texts that look like words and are not translated, each with its file. */
  readonly loose: readonly string[];
}

/** Finds the texts of `sources`, by file name. `values` are texts that are values, not words. */
export function textsOf(sources: Readonly<Record<string, string>>, values: readonly string[] = []): Texts {
  const messages = new Set<string>();
  const loose: string[] = [];
  for (const [file, source] of Object.entries(sources)) {
    const { program, errors } = parseSync(file, source);
    expect(errors, file).toEqual([]);
    const found = (text: string) => {
      if (!values.includes(text)) loose.push(`${file}: ${text}`);
    };
    const take = (text: string) => {
      if (/[a-z]{2,}[,.;:]? [a-z“]/i.test(text)) found(text);
    };
    const see = (node: Node): boolean => {
      switch (node.type) {
        case 'ImportDeclaration':
        case 'TSLiteralType':
          return false;
        case 'NewExpression':
        case 'CallExpression': {
          const callee = node.callee as { name?: string; object?: { name?: string }; property?: { name?: string } };
          const name = callee.name ?? `${callee.object?.name}.${callee.property?.name}`;
          if (name !== 't' && name !== 'rich') return !internal.test(name);
          const [message, ...rest] = node.arguments as Node[];
          expect(message?.type, `${file}: the message of ${name} must be a literal`).toBe('Literal');
          messages.add(String(message?.value));
          visit(rest, see);
          return false;
        }
        case 'JSXAttribute': {
          const value = node.value as Node | null;
          if (value?.type !== 'Literal') return (node.name as { name: string }).name !== 'class';
          if (read.test((node.name as { name: string }).name)) found(String(value.value));
          return false;
        }
        case 'JSXText': {
          const text = String(node.value).trim();
          if (/[a-z]{2}/i.test(text)) found(text);
          return false;
        }
        case 'Literal':
          take(String(node.value));
          return false;
        case 'TemplateLiteral':
          take((node.quasis as { value: { cooked: string } }[]).map(({ value }) => value.cooked).join('…'));
          return true;
        default:
          return true;
      }
    };
    visit(program, see);
  }
  return { messages, loose };
}

/** Expects each message to be in a catalogue, and `own` to have no other and none of `shared`. */
export function expectTranslated({ messages }: Texts, own: object, shared: object = {}): void {
  expect([...messages].filter((message) => !(message in own || message in shared))).toEqual([]);
  expect(Object.keys(own).filter((message) => !messages.has(message) || message in shared)).toEqual([]);
}

/** Expects translations to use the placeholders of their texts. */
export function expectPlaceholders(catalogue: Readonly<Record<string, unknown>>): void {
  // The build has compiled the translations that have placeholders.
  const named = (text: unknown): string[] => {
    if (typeof text === 'string') return text.includes('{') ? named(compileMessage(text)) : [];
    return (text as unknown[]).flatMap((part) => {
      if (!Array.isArray(part)) return [];
      const [name, , options] = part as [string, string?, (Record<string, unknown> | string)?];
      const inner = typeof options === 'object' ? Object.entries(options).filter(([key]) => key !== 'offset') : [];
      return [name, ...inner.flatMap(([, option]) => (Array.isArray(option) ? named(option) : []))];
    });
  };
  const names = (text: unknown) => [...new Set(named(text))].sort();
  for (const [message, translation] of Object.entries(catalogue)) {
    expect(names(translation), message).toEqual(names(message));
  }
}
