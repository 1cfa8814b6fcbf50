import { encodeBase64url } from '../base/base64url.ts';
import { isObject } from '../base/strict-json.ts';
import type { DeviceKey } from '../server/device-key.ts';
import { signJws } from '../server/proof.ts';
import type { Answer } from '../server/server.ts';
import type { Channel } from '../state/channel.ts';
import type { Context } from '../state/context.ts';
import { openLedgerChannel } from '../state/ledger-channel.ts';
import type { Batch, LedgerPart } from '../state/ledger-part.ts';
import type { KeptEntry, LedgerProblem } from '../storage/ledger-record.ts';
import type { Held } from '../storage/store.ts';
import { isCount } from '../verify/claims.ts';
import { decodeEntry, type Entry } from './entry.ts';
import { allOf, count, readRecord, total } from './record.ts';

/** The most acts of a batch, and the most characters of their texts: few enough for a slow network. */
const [mostEntries, mostText] = [100, 256 * 1024];

/** Milliseconds until acts that the server did not take are sent again. */
const pause = 3_600_000;

/** Problems that may be due to the acts, so that the next try leaves them out. */
const blamed: readonly (string | null)[] = ['ledger_invalid', 'invalid_request', 'payload_too_large', 'internal'];

/**
 * Uploader sends the acts that wait, one batch with each reconcile, and stores their verdicts. The document never depends on
 * it: a batch that the server refuses is left out for an hour, and one without an answer shrinks until it is left out once.
 */
export class Uploader implements LedgerPart {
  /** Why the server took no acts last time. */
  problem: LedgerProblem | null = null;
  /** Whether the last batch was taken and more acts wait. */
  more = false;
  readonly #context: Context;
  readonly #changed: () => void;
  readonly #channel: Channel;
  #most = mostEntries;
  #barredUntil = Number.NEGATIVE_INFINITY;

  /** `changed` is called after verdicts were stored, and after news of another page or the server. */
  constructor(context: Context, changed: () => void) {
    this.#context = context;
    this.#changed = changed;
    this.#channel = openLedgerChannel(context.name, changed);
  }

  /** Tells the other pages that acts, verdicts or actions have changed. */
  announce(): void {
    this.#channel.post();
  }

  close(): void {
    this.#channel.close();
  }

  async batch(held: Held, key: DeviceKey): Promise<Batch | null> {
    this.more = false;
    const most = this.#most;
    this.#most = most === 0 ? mostEntries : most >> 1;
    if (most === 0 || this.#context.monotonic() < this.#barredUntil) return null;
    try {
      const entries = await this.#waiting(held, most);
      const texts = entries.map(({ text }) => text);
      return this.#batch(entries, texts.length > 0 ? await signBatch(key, `${held.device?.id}`, texts) : undefined);
    } catch {
      return null;
    }
  }

  /** The first acts that wait, in order. */
  async #waiting({ user, device }: Held, most: number): Promise<Written[]> {
    if (!user || !device) return [];
    const range = allOf(user.id, 0, device.id);
    const kept = await this.#context.store.transact(['ledger'], 'readonly', (transaction) =>
      transaction.objectStore('ledger').getAll(range, most),
    );
    let room = mostText;
    return kept
      .map(({ text }) => ({ ...decodeEntry(text), text }))
      .filter(({ text }, index) => {
        room -= text.length;
        return room > 0 || index === 0;
      });
  }

  #batch(entries: readonly Written[], jws: string | undefined): Batch {
    let [judged, refused, left] = [0, null as LedgerProblem | null, 0];
    return {
      jws,
      isRefused: (answer) => jws !== undefined && this.#isRefused(answer),
      take: (held, { verdicts, ledger_head: head, ledger_refused }, transaction) => {
        const store = transaction.objectStore('ledger');
        let record = readRecord(held);
        const { user, device } = record;
        for (const verdict of Array.isArray(verdicts) ? verdicts : []) {
          const entry = isObject(verdict) ? entries.find(({ seq }) => seq === verdict.seq) : undefined;
          if (!entry) continue;
          judged++;
          const { feature, seq, text } = entry;
          const accepted = verdict.verdict === 'accepted';
          // Their failure fails the transaction.
          store.delete([user, 0, device, seq]).catch(() => {});
          if (!accepted) {
            const kept: KeptEntry = { text, code: String(verdict.code ?? verdict.verdict) };
            store.put(kept, [user, 1, device, seq]).catch(() => {});
          }
          record = {
            ...record,
            waiting: count(record.waiting, feature, -1),
            accepted: accepted ? count(record.accepted, feature, 1) : record.accepted,
          };
        }
        left = total(record.waiting);
        // Its record was lost here: the chain goes on where the server's ends.
        if (
          left === 0 &&
          isObject(head) &&
          isCount(head.seq) &&
          head.seq > record.seq &&
          typeof head.hash === 'string'
        ) {
          record = { ...record, seq: head.seq, hash: head.hash };
        }
        refused = readProblem(ledger_refused);
        return { ledger: record };
      },
      taken: () => {
        this.#most = mostEntries;
        if (jws === undefined) return;
        if (refused || judged === 0) this.#bar(refused ?? { code: 'no_verdict', seq: null });
        else this.problem = null;
        this.more = left > 0 && !this.problem;
        this.announce();
        this.#changed();
      },
    };
  }

  #isRefused({ code, body }: Answer): boolean {
    if (!blamed.includes(code)) return false;
    this.#bar(readProblem(body.ledger) ?? { code: `${code}`, seq: null });
    this.#changed();
    return true;
  }

  #bar(problem: LedgerProblem): void {
    this.problem = Object.freeze(problem);
    this.#barredUntil = this.#context.monotonic() + pause;
  }
}

/** An entry with its exact text. */
type Written = Entry & KeptEntry;

/** The JWS of a batch: the device, and the exact bytes of each entry. */
export function signBatch(key: Pick<DeviceKey, 'sign'>, device: string, texts: readonly string[]): Promise<string> {
  const entries = texts.map((text) => encodeBase64url(new TextEncoder().encode(text)));
  return signJws(key, { alg: 'ES256', typ: 'ledger+jwt' }, { device, entries });
}

function readProblem(value: unknown): LedgerProblem | null {
  if (!isObject(value) || typeof value.code !== 'string') return null;
  return { code: value.code, seq: isCount(value.seq) ? value.seq : null };
}
