import { describe, expect, it } from 'vitest';
import type { Bytes } from '../src/vault/bytes.ts';
import { importSealingKey } from '../src/vault/content-key.ts';
import {
  chunkSize,
  cutter,
  headerLength,
  knownObject,
  maxChunks,
  newHeader,
  newObject,
  openBytes,
  readNumbers,
  sealBytes,
  sealChunk,
  sealedChunkSize,
} from '../src/vault/sealed.ts';

const contentKey = await importSealingKey(new Uint8Array(32).fill(7));
const numbers = { epoch: 3, sequence: 1_767_225_600_000 };

const seal = async (content: Bytes, id = 'note-1') => sealBytes(await newObject(contentKey, id, numbers), content);
const open = async (sealed: Bytes, id = 'note-1') => {
  readNumbers(sealed);
  return openBytes(await knownObject(contentKey, id, sealed), sealed);
};
const refusal = (work: Promise<unknown>) => work.then(() => null).catch(({ code }) => code);
const filled = (length: number) => Uint8Array.from({ length }, (_, index) => index % 251);
const text = (bytes: Uint8Array) => new TextDecoder('latin1').decode(bytes);
const chunkAt = (index: number) => headerLength + index * sealedChunkSize;

function joined(...parts: Bytes[]): Bytes {
  const whole = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}

describe('sealed data', () => {
  it.each([0, 1, chunkSize - 1, chunkSize, chunkSize + 1, 2 * chunkSize, 3 * chunkSize + 5])(
    'of %i bytes opens again',
    async (length) => {
      const content = filled(length);
      const sealed = await seal(content);
      expect(text(await open(sealed)) === text(content)).toBe(true);
      expect(sealed.length).toBe(headerLength + length + 16 * Math.max(1, Math.ceil(length / chunkSize)));
    },
  );

  it('says its epoch and sequence, and shows no content', async () => {
    const content = new TextEncoder().encode('the plain text of a private note');
    const sealed = await seal(content);
    expect(readNumbers(sealed)).toEqual(numbers);
    expect(text(sealed)).not.toContain('private');
    expect(text(sealed)).not.toContain('note-1');
  });

  it('has chunks whose numbers end', async () => {
    const object = await newObject(contentKey, 'note-1', numbers);
    await sealChunk(object, maxChunks - 1, true, new Uint8Array());
    expect(await refusal(sealChunk(object, maxChunks, true, new Uint8Array()))).toBe('payload_too_large');
  });

  it('never repeats a salt in a million headers, so that no key has two contents', () => {
    const seen = new Set<bigint>();
    for (let n = 0; n < 1_000_000; n++) {
      // Half of the salt repeats no later than the whole.
      const { buffer } = newHeader(numbers);
      seen.add(new DataView(buffer).getBigUint64(16));
    }
    expect(seen.size).toBe(1_000_000);
  });
});

describe('sealed data is refused', () => {
  it("with another's id", async () => {
    expect(await refusal(open(await seal(filled(9)), 'note-2'))).toBe('vault_id_mismatch');
  });

  it('with another key', async () => {
    const sealed = await seal(filled(9));
    const other = await importSealingKey(new Uint8Array(32).fill(8));
    expect(await refusal(knownObject(other, 'note-1', sealed).then((object) => openBytes(object, sealed)))).toBe(
      'vault_tampered',
    );
  });

  it('when it is truncated', async () => {
    const sealed = await seal(filled(2 * chunkSize + 9));
    for (const length of [0, 3, headerLength - 1, headerLength, headerLength + 15, chunkAt(1), chunkAt(2)]) {
      expect(await refusal(open(sealed.slice(0, length))), `${length} bytes`).toBe('vault_truncated');
    }
    // In the middle of a chunk the rest cannot be told from a changed one.
    for (const length of [chunkAt(1) - 1, chunkAt(1) + 100, sealed.length - 1]) {
      expect(await refusal(open(sealed.slice(0, length))), `${length} bytes`).toBe('vault_tampered');
    }
  });

  it('when its chunks are reordered or repeated', async () => {
    const sealed = await seal(filled(3 * chunkSize + 9));
    const parts = [0, 1, 2, 3].map((index) => sealed.slice(chunkAt(index), chunkAt(index + 1)));
    const arrange = (...order: number[]) =>
      joined(sealed.slice(0, headerLength), ...order.map((index) => parts[index] as Bytes));
    expect(await refusal(open(arrange(0, 1, 2, 3)))).toBe(null);
    for (const order of [
      [1, 0, 2, 3],
      [0, 2, 1, 3],
      [0, 1, 1, 3],
      [0, 2, 3],
      [1, 2, 3],
      [0, 3],
    ]) {
      expect(await refusal(open(arrange(...order))), `${order}`).toBe('vault_reordered');
    }
    expect(await refusal(open(arrange(0, 1, 2, 3, 3)))).toMatch(/^vault_(reordered|tampered)$/);
  });

  it('when any bit of the header or of a chunk is changed', async () => {
    const sealed = await seal(filled(40));
    for (let bit = 0; bit < sealed.length * 8; bit += 7) {
      const changed = sealed.slice();
      changed[bit >> 3] = (changed[bit >> 3] ?? 0) ^ (1 << (bit & 7));
      expect(await refusal(open(changed)), `bit ${bit}`).toMatch(/^(malformed|vault_tampered)$/);
    }
  });

  it('when it is mutated at random, with one of the codes', async () => {
    const sealed = await seal(filled(700));
    const below = (bound: number) => Math.floor(Math.random() * bound);
    for (let n = 0; n < 300; n++) {
      const kind = below(4);
      const [at, to] = [below(sealed.length), below(sealed.length)].sort((a, b) => a - b) as [number, number];
      const mutated = [
        () => sealed.slice(0, at),
        () => joined(sealed.slice(0, at), Uint8Array.of(below(256)), sealed.slice(at)),
        () => joined(sealed.slice(0, at), sealed.slice(to + 1)),
        () => sealed.slice().fill(below(256), at, to + 1),
      ][kind]?.() as Bytes;
      if (text(mutated) === text(sealed)) continue;
      expect(await refusal(open(mutated)), `${kind} ${at} ${to}`).toMatch(
        /^(malformed|vault_(tampered|truncated|reordered))$/,
      );
    }
  });
});

describe('a stream', () => {
  it('is cut alike, however it arrives', async () => {
    for (const sizes of [[1, 2, 3], [10], [5, 5], [4, 4, 4, 4], [], [0, 0, 3], [23, 1]]) {
      const got: string[] = [];
      const cut = cutter(5, async (piece, index, last) => void got.push(`${index}:${piece.length}:${last}`));
      for (const size of sizes) await cut.push(filled(size));
      await cut.end();
      const total = sizes.reduce((sum, size) => sum + size, 0);
      const count = Math.max(1, Math.ceil(total / 5));
      const expected = Array.from({ length: count }, (_, index) => {
        const last = index === count - 1;
        return `${index}:${last ? total - 5 * index : 5}:${last}`;
      });
      expect(got, `${sizes}`).toEqual(expected);
    }
  });
});
