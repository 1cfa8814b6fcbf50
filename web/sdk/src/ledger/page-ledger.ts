import { digest } from '../base/digest.ts';
import { HoldfastError } from '../base/error.ts';
import { failingWith } from '../base/failing-with.ts';
import { same } from '../base/same.ts';
import { parseJsonObject } from '../base/strict-json.ts';
import type { DeviceKey } from '../server/device-key.ts';
import type { Batch, LedgerPart } from '../state/ledger-part.ts';
import type { State } from '../state/state.ts';
import type { EntryKey, KeptEntry, LedgerStatus } from '../storage/ledger-record.ts';
import { type Held, readAll } from '../storage/store.ts';
import type { Action } from './action.ts';
import { type AppStore, appStore } from './app-store.ts';
import { decodeEntry, type Entry, encodeEntry } from './entry.ts';
import type { Feed } from './feed.ts';
import type { ActionsOptions, Ledger, RecordedAct, RecordOptions } from './ledger.ts';
import { allOf, count, countOf, readRecord, total } from './record.ts';
import { Uploader } from './uploader.ts';

/** The most bytes of a payload as JSON. */
const maxPayload = 16 * 1024;

/** The number of acts that are read at a time. */
const page = 100;

/** PageLedger records the acts of one page and shows what all pages have recorded. */
export class PageLedger implements Ledger, LedgerPart {
  readonly #state: State;
  readonly #uploader: Uploader;
  /** Its file is loaded on first use. */
  #feed: Feed | undefined;
  readonly #reconcile: () => Promise<unknown>;
  readonly #stop: () => void;
  /** Recording is in turn within a page; storage decides between pages. */
  #turn: Promise<unknown> = Promise.resolve();
  /** The user and device that the status is for. */
  #owner = '';

  constructor(state: State, reconcile: () => Promise<unknown>) {
    this.#state = state;
    this.#reconcile = reconcile;
    this.#uploader = new Uploader(state.context, () => this.#news());
    this.#stop = state.subscribe(() => {
      if (this.#owner !== ownerOf(state)) void this.refresh();
      this.#feed?.wake();
    });
  }

  record(feature: string, action: string, payload: unknown, options: RecordOptions = {}): Promise<RecordedAct> {
    const turn = this.#turn.then(() => this.#record(feature, action, payload, options));
    this.#turn = turn.catch(() => {});
    return turn;
  }

  async app<T>(work: (store: AppStore) => T | Promise<T>): Promise<T> {
    this.#state.demandOpen();
    return this.#state.context.store.transact(['app'], 'readwrite', (transaction) =>
      appsOwn(() => work(appStore(transaction))),
    );
  }

  async *acts(): AsyncIterableIterator<RecordedAct> {
    for await (const { act } of this.#kept()) yield act;
  }

  async exportRefused(): Promise<Blob> {
    const lines: string[] = [];
    for await (const { act, text } of this.#kept()) {
      if (act.code !== null) lines.push(`${JSON.stringify({ entry: text, device: act.device, code: act.code })}\n`);
    }
    return new Blob(lines, { type: 'application/x-ndjson' });
  }

  async drop({ device, seq }: Pick<RecordedAct, 'device' | 'seq'>): Promise<void> {
    this.#state.demandOpen();
    const dropping = (held: Held, remove: (key: EntryKey) => void) => {
      if (!held.user) return;
      remove([held.user.id, 1, device, seq]);
      if (held.device?.id !== device) remove([held.user.id, 0, device, seq]);
    };
    await this.#state.context.store.transact(['state', 'ledger'], 'readwrite', async (transaction) => {
      const held = await readAll(transaction);
      dropping(
        held,
        (key) =>
          void transaction
            .objectStore('ledger')
            .delete(key)
            .catch(() => {}),
      );
    });
    await this.#told();
  }

  async *actions(options: ActionsOptions = {}): AsyncIterableIterator<Action> {
    const parts = await failingWith('no_contact', () => import('./feed.ts'));
    this.#feed ??= new parts.Feed(this.#state);
    yield* this.#feed.follow(options);
  }

  batch(held: Held, key: DeviceKey): Promise<Batch | null> {
    return this.#uploader.batch(held, key);
  }

  close(): void {
    this.#stop();
    this.#uploader.close();
    this.#feed?.wake();
  }

  /** Reads the status again and reports a change. Never rejects. */
  async refresh(): Promise<void> {
    const state = this.#state;
    if (state.ended) return;
    this.#owner = ownerOf(state);
    const counted = await this.#count().catch(() => null);
    if (!counted || state.ended) return;
    const { problem } = this.#uploader;
    state.ledger = same(state.ledger, Object.freeze({ ...counted, problem }));
    state.tell();
  }

  /** The next batch follows at once. */
  async #news(): Promise<void> {
    if (this.#uploader.more) {
      this.#uploader.more = false;
      void this.#reconcile().catch(() => {});
    }
    this.#feed?.wake();
    await this.refresh();
  }

  async #told(): Promise<void> {
    this.#uploader.announce();
    await this.refresh();
  }

  async #record(feature: string, action: string, payload: unknown, { write }: RecordOptions): Promise<RecordedAct> {
    const { store, clock } = this.#state.context;
    // An act waits for no lock, which another page may hold for as long as its request takes. Instead, storage is compared:
    // if another page was faster, the act is made again, for the chain's new end.
    for (;;) {
      this.#state.demandOpen();
      const held = await store.read();
      const record = readRecord(held);
      const entry: Entry = {
        seq: record.seq + 1,
        prev: record.hash ?? (await digest(record.device)),
        at: Math.floor(clock() / 1000),
        feature,
        document: await this.#permit(held, feature),
        action,
        payload,
      };
      const text = encode(entry);
      const hash = await digest(text);
      const stored = await store
        .update(
          async (now, transaction) => {
            if (now.document !== held.document || `${positionOf(now)}` !== `${positionOf(held)}`) return null;
            const { user, device, accepted, waiting } = readRecord(now);
            const limit = this.#state.entitlement.features[feature]?.limit ?? Number.POSITIVE_INFINITY;
            if (countOf(waiting, feature) + countOf(accepted, feature) >= limit) throw new HoldfastError('over_limit');
            const kept: KeptEntry = { text };
            transaction
              .objectStore('ledger')
              .add(kept, [user, 0, device, entry.seq])
              .catch(() => {});
            if (write) await appsOwn(() => write(appStore(transaction)));
            return { ledger: { ...readRecord(now), seq: entry.seq, hash, waiting: count(waiting, feature, 1) } };
          },
          write ? ['state', 'ledger', 'app'] : ['state', 'ledger'],
        )
        .catch((error: HoldfastError) => {
          const { cause } = error;
          const full = cause instanceof Error && cause.name === 'QuotaExceededError';
          throw full && error.code !== 'write_failed' ? new HoldfastError('storage_full', undefined, { cause }) : error;
        });
      if (!stored) continue;
      await this.#told();
      this.#state.want();
      return describe(record.device, { text });
    }
  }

  /** The jti of the document that permits the act now. */
  async #permit({ user, document: taken }: Held, feature: string): Promise<string> {
    const state = this.#state;
    if (state.standing.taken !== taken || state.standing.user?.id !== user?.id) await state.load();
    if (state.locked) throw new HoldfastError('locked');
    const { document, device, key } = state.standing;
    if (!state.standing.user) throw new HoldfastError('signed_out');
    const { error, features } = state.entitlement;
    if (error) throw new HoldfastError(error);
    // Right after a new linking, the document is still that of the former device.
    if (!key || document?.device !== device) throw new HoldfastError('device_unknown');
    if (!Object.hasOwn(features, feature)) throw new HoldfastError('not_granted');
    return document.jti;
  }

  /** Counts no act that waits: IndexedDB reads each record that it counts. */
  async #count(): Promise<Omit<LedgerStatus, 'problem'>> {
    const { store } = this.#state.context;
    return store.transact(['state', 'ledger'], 'readonly', async (transaction) => {
      const held = await readAll(transaction);
      const { user, device } = held;
      if (!user) return { waiting: 0, oldest: null, refused: 0 };
      const entries = transaction.objectStore('ledger');
      const own = allOf(user.id, 0, device?.id ?? '');
      const [before, after, [first]] = await Promise.all([
        entries.count(IDBKeyRange.bound([user.id], own.lower, false, true)),
        entries.count(IDBKeyRange.bound(own.upper, [user.id, []])),
        entries.getAll(own, 1),
      ]);
      const oldest = first ? new Date(decodeEntry(first.text).at * 1000) : null;
      return { waiting: total(readRecord(held).waiting), oldest, refused: before + after };
    });
  }

  /** Acts that wait for a device that this installation no longer is will never be sent. */
  async *#kept(): AsyncIterableIterator<{ act: RecordedAct; text: string }> {
    const { store } = this.#state.context;
    let after: EntryKey | undefined;
    for (;;) {
      this.#state.demandOpen();
      const [own, keys, entries] = await store.transact(['state', 'ledger'], 'readonly', async (transaction) => {
        const { user, device } = await readAll(transaction);
        const range = allOf(user?.id ?? '');
        const rest = after ? IDBKeyRange.bound(after, range.upper, true) : range;
        const kept = transaction.objectStore('ledger');
        const [keys, entries] = await Promise.all([kept.getAllKeys(rest, page), kept.getAll(rest, page)]);
        return [device?.id, keys, entries] as const;
      });
      for (const [index, [, refused, device]] of keys.entries()) {
        const entry = entries[index] as KeptEntry;
        const lost = refused === 0 && device !== own;
        yield { act: describe(device, lost ? { ...entry, code: 'device_replaced' } : entry), text: entry.text };
      }
      after = keys.at(-1);
      if (keys.length < page) return;
    }
  }
}

function ownerOf({ standing: { user, device } }: State): string {
  return `${user?.id} ${device}`;
}

function positionOf(held: Held): string {
  const { user, device, seq, hash } = readRecord(held);
  return `${user} ${device} ${seq} ${hash}`;
}

/** The entry's text. Throws if the server would refuse it. */
function encode(entry: Entry): string {
  const fail = (code: 'invalid_request' | 'payload_invalid' | 'payload_too_large' | 'payload_too_deep') => {
    throw new HoldfastError(code);
  };
  const size = (text: string) => new TextEncoder().encode(text);
  for (const name of [entry.feature, entry.action]) {
    if (typeof name !== 'string' || name === '' || [...name].length > 64) fail('invalid_request');
  }
  try {
    const payload: string | undefined = JSON.stringify(entry.payload);
    if (payload === undefined) fail('payload_invalid');
    else if (size(payload).length > maxPayload) fail('payload_too_large');
  } catch (error) {
    // A cycle, a BigInt, or a getter that throws.
    throw error instanceof HoldfastError ? error : new HoldfastError('payload_invalid', undefined, { cause: error });
  }
  const text = encodeEntry(entry);
  if (parseJsonObject(size(text)) === null) fail(isDeep(entry.payload) ? 'payload_too_deep' : 'payload_invalid');
  return text;
}

/** Whether its JSON within an entry is nested deeper than 32. */
function isDeep(payload: unknown, depth = 1): boolean {
  if (typeof payload !== 'object' || payload === null) return false;
  return depth === 32 || Object.values(payload).some((part) => isDeep(part, depth + 1));
}

function describe(device: string, { text, code = undefined }: KeptEntry): RecordedAct {
  const { seq, at, feature, action, payload } = decodeEntry(text);
  return { device, seq, at: new Date(at * 1000), feature, action, payload, code: code ?? null };
}

/** Runs the app's part of a transaction. Its failure is not that of storage. */
async function appsOwn<T>(work: () => T | Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (cause) {
    throw new HoldfastError('write_failed', undefined, { cause });
  }
}
