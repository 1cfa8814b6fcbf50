import { expect, it } from 'vitest';
import { digest } from '../src/base/digest.ts';
import { type Entry, encodeEntry } from '../src/ledger/entry.ts';

interface Vectors {
  readonly device: string;
  readonly entries: readonly { readonly members: Entry; readonly text: string; readonly hash: string }[];
}

// The server is tested with the same vectors in entitlements/ledger/ledger_test.go.
const [text = ''] = Object.values(
  import.meta.glob<string>('../../../entitlements/ledger/testdata/entries.json', {
    query: '?raw',
    import: 'default',
    eager: true,
  }),
);
const { device, entries }: Vectors = JSON.parse(text);

it('has entries', () => expect(entries.length).toBeGreaterThan(4));

it('writes each entry as the server reads it, and chains it to the one before', async () => {
  let prev = await digest(device);
  for (const { members, text, hash } of entries) {
    expect(encodeEntry({ ...members, prev })).toBe(text);
    prev = await digest(text);
    expect(prev).toBe(hash);
  }
});
