import { parseSync } from 'vite';
import { expect, test } from 'vitest';
import catalogue from './locales/de.ts';

const sources = import.meta.glob<string>(
  ['./**/*.{ts,tsx}', '../../kit/src/**/*.{ts,tsx}', '!./**/*.test.ts', '!../../kit/src/*.test.ts', '!./locales/*'],
  { query: '?raw', import: 'default', eager: true },
);

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
const read = /^(aria-label|label|title|alt|placeholder|doing|yes|no)$/;
/** Calls whose texts nobody reads in the page. */
const internal = /^(console\.\w+|Error|TypeError|DOMException)$/;
/** Texts that are values, not words. */
const values = new Set([
  'not asked',
  'out of reach',
  'session over',
  'in charge',
  'give way',
  'Not linked',
  'Not known',
]);

/** The texts of a source: those given to `t`, and those that look like words and are not. */
function textsOf(file: string, source: string) {
  const messages: string[] = [];
  const loose: string[] = [];
  const { program, errors } = parseSync(file, source);
  expect(errors, file).toEqual([]);
  const take = (text: string) => {
    if (/[a-z]{2,}[,.;:]? [a-z“]/i.test(text) && !values.has(text)) loose.push(text);
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
        if (name !== 't') return !internal.test(name);
        const [message, ...rest] = node.arguments as Node[];
        expect(message?.type, `${file}: the message of t must be a literal`).toBe('Literal');
        messages.push(String(message?.value));
        visit(rest, see);
        return false;
      }
      case 'JSXAttribute': {
        const value = node.value as Node | null;
        if (value?.type !== 'Literal') return (node.name as { name: string }).name !== 'class';
        if (read.test((node.name as { name: string }).name)) loose.push(String(value.value));
        return false;
      }
      case 'JSXText': {
        const text = String(node.value).trim();
        if (/[a-z]{2}/i.test(text) && text !== 'Fieldbook') loose.push(text);
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
  return { messages, loose };
}

const texts = Object.entries(sources).map(([file, source]) => ({ file, ...textsOf(file, source) }));
const messages = new Set(texts.flatMap((each) => each.messages));

test('every text that people read goes through t', () => {
  expect(texts.flatMap(({ file, loose }) => loose.map((text) => `${file}: ${text}`))).toEqual([]);
});

test('every text has a German translation, and no translation is left over', () => {
  expect([...messages].filter((message) => !(message in catalogue))).toEqual([]);
  expect(Object.keys(catalogue).filter((message) => !messages.has(message))).toEqual([]);
});

test('translations use the placeholders of their texts', () => {
  // The build has compiled the translations to lists of texts and placeholders.
  const named = (text: unknown) =>
    Array.isArray(text)
      ? text.filter(Array.isArray).map(([name]) => name)
      : (String(text).match(/(?<=\{)\w+(?=[,}])/g) ?? []);
  const names = (text: unknown) => [...new Set(named(text))].sort();
  for (const [message, translation] of Object.entries(catalogue)) {
    expect(names(translation), message).toEqual(names(message));
  }
});
