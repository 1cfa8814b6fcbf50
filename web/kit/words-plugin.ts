import { compileMessage } from '@lingui/message-utils/compileMessage';
import type { Plugin } from 'vite';

interface Node {
  readonly type: string;
  readonly start: number;
  readonly end: number;
}

/**
 * Compiles messages with placeholders at build time, so that no parser is shipped: the English ones in calls of `t` and
 * `rich`, and those of the catalogues in folders named `locales`.
 */
export function words(): Plugin {
  return {
    name: 'words',
    enforce: 'post',
    transform(code, id) {
      const catalogue = id.includes('/locales/');
      if (!/\.tsx?$/.test(id) || !(catalogue || /\b(t|rich)\(/.test(code))) return null;
      const edits: { readonly start: number; readonly end: number; readonly text: string }[] = [];
      const compile = (node: unknown, call: boolean) => {
        const { type, value, start, end } = node as Node & { value: unknown };
        if (type !== 'Literal' || typeof value !== 'string' || !value.includes('{')) return;
        const message = JSON.stringify(compileMessage(value));
        edits.push({ start, end, text: call ? `{id:${JSON.stringify(value)},message:${message}}` : message });
      };
      visit(this.parse(code), (node) => {
        if (catalogue && node.type === 'Property') compile((node as unknown as { value: unknown }).value, false);
        if (node.type !== 'CallExpression') return;
        const { callee, arguments: given } = node as unknown as { callee: { name?: string }; arguments: unknown[] };
        if ((callee.name === 't' || callee.name === 'rich') && given[0]) compile(given[0], true);
      });
      edits.sort((a, b) => b.start - a.start);
      const compiled = edits.reduce((text, edit) => text.slice(0, edit.start) + edit.text + text.slice(edit.end), code);
      return { code: compiled, map: null };
    },
  };
}

function visit(value: unknown, see: (node: Node) => void): void {
  if (Array.isArray(value)) for (const each of value) visit(each, see);
  else if (typeof value === 'object' && value !== null) {
    if ('type' in value) see(value as Node);
    for (const each of Object.values(value)) visit(each, see);
  }
}
