import { i18n } from '@lingui/core';
import type { ComponentChildren } from 'preact';

/**
 * Translates a message with elements in it, such as links. `message` is as that of `t`: always a literal.
 *
 * @example
 * rich('Counted {when}', { when: <When at={at} /> });
 */
export function rich(message: string, values: Readonly<Record<string, ComponentChildren>>): ComponentChildren[] {
  const elements: ComponentChildren[] = [];
  const marked = Object.entries(values).map(([name, value]) => {
    if (typeof value === 'string' || typeof value === 'number') return [name, value];
    elements.push(value);
    // Private-use characters, which no text contains.
    return [name, `\uE000${elements.length - 1}\uE000`];
  });
  const text = i18n._(message, Object.fromEntries(marked));
  return text.split('\uE000').map((part, n) => (n % 2 === 0 ? part : elements[Number(part)]));
}
