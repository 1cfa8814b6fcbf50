import { HoldfastError } from '../base/error.ts';
import type { ErrorCode } from '../base/error-code.ts';
import { failingWith } from '../base/failing-with.ts';
import { same } from '../base/same.ts';
import { isObject } from '../base/strict-json.ts';
import { IdleWatch } from '../lock/idle-watch.ts';
import { type Shown, showPasskeyWithPrf } from '../lock/unlock.ts';
import { canPrompt } from '../passkey/can-prompt.ts';
import type { State } from '../state/state.ts';
import type { Bytes } from './bytes.ts';
import { type ContentKey, importPackKey, importSealingKey, vaultFeature } from './content-key.ts';
import { askForKeys, type HandedOver } from './hand-over.ts';
import { Marks } from './marks.ts';
import { openPack, packEpoch } from './pack.ts';
import {
  chunkSize,
  cutter,
  headerLength,
  knownObject,
  type Numbers,
  newObject,
  type ObjectKey,
  openBytes,
  openChunk,
  readNumbers,
  sealBytes,
  sealChunk,
  sealedChunkSize,
} from './sealed.ts';
import { VaultStore, type Wrap, type Wrapped } from './store.ts';
import type { OpenOptions, Vault, VaultOptions, VaultStatus } from './vault.ts';
import { type Binding, prfInput, unwrap, wrap, wrappingKey } from './wrap.ts';

const defaultIdle = 15 * 60_000;
const maxId = 1024;

/** The keys of an open vault. Nothing of it is stored. */
interface Opened {
  readonly binding: Binding;
  /** The user's passkeys; wraps for others are dropped. */
  readonly all: readonly string[];
  readonly wrapping: CryptoKey;
  /** By feature and epoch. */
  readonly keys: Map<string, Map<number, CryptoKey>>;
  /** Null: the user has no vault of their own. */
  marks: Marks | null;
}

/** PageVault opens the vault in one page. */
export class PageVault implements Vault {
  readonly #state: State;
  readonly #options: VaultOptions;
  readonly #store: VaultStore;
  readonly #listeners = new Set<() => void>();
  readonly #events = new AbortController();
  readonly #unsubscribe: () => void;
  #status: VaultStatus = Object.freeze({ state: 'signed_out', epoch: null, packs: [], problem: null });
  #opened: Opened | undefined;
  /** Rises whenever keys are dropped, so that work that began before stores and opens nothing. */
  #era = 0;
  /** Rises with each lock, which also ends an unlocking. */
  #locks = 0;
  #held: Wrapped | null = null;
  #noPrf = false;
  #problem: ErrorCode | null = null;
  #unlocking: Promise<void> | undefined;
  #refreshing: Promise<void> | undefined;
  #following: Promise<void> = Promise.resolve();
  #watch: IdleWatch | undefined;

  constructor(state: State, options: VaultOptions) {
    this.#state = state;
    this.#options = options;
    this.#store = new VaultStore(`${state.context.name}-vault`);
    this.#unsubscribe = state.subscribe(() => this.#heard());
    const { signal } = this.#events;
    const hidden = () => {
      if (options.onHide && document.visibilityState === 'hidden') this.lock();
    };
    globalThis.document?.addEventListener('visibilitychange', hidden, { signal });
  }

  get status(): VaultStatus {
    return this.#status;
  }

  subscribe(listener: () => void): () => void {
    const own = () => listener();
    this.#listeners.add(own);
    return () => void this.#listeners.delete(own);
  }

  lock(): void {
    this.#drop();
    this.#tell();
  }

  close(): void {
    this.#drop();
    this.#unsubscribe();
    this.#events.abort();
    this.#listeners.clear();
    void this.#store.close();
  }

  unlock({ signal }: { readonly signal?: AbortSignal } = {}): Promise<void> {
    this.#unlocking ??= this.#unlock(signal ?? new AbortController().signal).finally(() => {
      this.#unlocking = undefined;
    });
    return this.#unlocking;
  }

  refresh(): Promise<void> {
    this.#refreshing ??= this.#refresh().finally(() => {
      this.#refreshing = undefined;
    });
    return this.#refreshing;
  }

  async seal(id: string, data: string | BufferSource | Blob): Promise<Bytes> {
    const bytes = await contentOf(data);
    const object = await this.#newObject(id);
    return this.#while(() => sealBytes(object, bytes));
  }

  async open(id: string, sealed: BufferSource | Blob, options: OpenOptions = {}): Promise<Bytes> {
    const bytes = await contentOf(sealed);
    const { object, numbers } = await this.#known(id, bytes);
    return this.#while(async () => {
      const content = await openBytes(object, bytes);
      await this.#admit(id, numbers, options);
      return content;
    });
  }

  async openText(id: string, sealed: BufferSource | Blob, options?: OpenOptions): Promise<string> {
    return new TextDecoder().decode(await this.open(id, sealed, options));
  }

  async sealStream(id: string): Promise<ReadableWritablePair<Bytes, Uint8Array>> {
    const object = await this.#newObject(id);
    const opened = this.#opened;
    return piped(chunkSize, (controller) => {
      controller.enqueue(object.header);
      return async (piece, index, last) => {
        this.#demand(opened);
        controller.enqueue(await sealChunk(object, index, last, piece));
      };
    });
  }

  async openStream(id: string, options: OpenOptions = {}): Promise<ReadableWritablePair<Bytes, Uint8Array>> {
    const opened = this.#demandOpened();
    readId(id);
    let head: Bytes = new Uint8Array();
    let known: { object: ObjectKey; numbers: Numbers } | undefined;
    const begin = async (bytes: Bytes) => {
      known = await this.#known(id, bytes);
      return known;
    };
    return piped(
      sealedChunkSize,
      (controller) => async (piece, index, last) => {
        this.#demand(opened);
        const { object, numbers } = known ?? (await begin(head));
        const content = await openChunk(object, index, last, piece);
        if (index === 0) await this.#admit(id, numbers, options);
        controller.enqueue(content);
      },
      (bytes) => {
        const missing = Math.max(0, headerLength - head.length);
        if (missing > 0) head = joined(head, bytes.subarray(0, missing));
        return bytes.subarray(Math.min(missing, bytes.length));
      },
    );
  }

  async openPack(feature: string, jwe: string): Promise<Bytes> {
    this.#state.demandOpen();
    this.#permit(feature);
    const epoch = packEpoch(feature, jwe);
    const key = await this.#keyOf(feature, epoch);
    return this.#while(() => openPack(jwe, key));
  }

  /** Reads what is stored here, and forgets what may no longer be held. Never rejects. */
  follow(): Promise<void> {
    this.#following = this.#following.then(() => this.#follow().catch(() => {}));
    return this.#following;
  }

  /** What must not be held any more is dropped before anything else can use it. */
  #heard(): void {
    const { user } = this.#state.standing;
    if (this.#state.ended) {
      this.close();
      return;
    }
    if (this.#opened && (this.#opened.binding.user !== user?.id || this.#state.locked)) this.#drop();
    const granted = this.#granted();
    if (granted && this.#opened) {
      for (const feature of this.#opened.keys.keys()) {
        if (granted.includes(feature)) continue;
        this.#opened.keys.delete(feature);
        if (feature === vaultFeature) this.#opened.marks = null;
        this.#era++;
      }
      if (this.#opened.keys.size === 0) this.#drop();
    }
    this.#tell();
    void this.follow();
  }

  /** The features of the newest signed document for this device, in force or not; undefined: there is none that decides. */
  #granted(): readonly string[] | undefined {
    const { document, device } = this.#state.standing;
    return document && document.device === device ? Object.keys(document.features) : undefined;
  }

  async #follow(): Promise<void> {
    const { context } = this.#state;
    const { user } = await context.store.read();
    const granted = this.#granted();
    await this.#store.changeWrapped((stored) => {
      const held = readWrapped(stored);
      this.#held = held;
      if (!held || this.#state.ended) return null;
      const own = user?.id === held.user ? held : null;
      const features = Object.entries(own?.features ?? {}).filter(([feature]) => granted?.includes(feature) ?? true);
      if (own && features.length === Object.keys(own.features).length) return null;
      this.#era++;
      this.#held = own && features.length > 0 ? { ...own, features: Object.fromEntries(features) } : null;
      return this.#held ?? undefined;
    });
    if (!user) await this.#store.setTransportKey(undefined);
    this.#tell();
    const { document } = this.#state.standing;
    const due = this.#opened && document && (this.#held?.revision !== document.rev || this.#lacks(granted));
    if (due) await this.refresh().catch(() => {});
  }

  /** Whether a newly granted feature's keys may have to be fetched. The server has no keys for most features. */
  #lacks(granted: readonly string[] = []): boolean {
    return granted.includes(vaultFeature) && !this.#opened?.keys.has(vaultFeature);
  }

  async #unlock(signal: AbortSignal): Promise<void> {
    const { context } = this.#state;
    this.#state.demandOpen();
    if (this.#opened) return;
    const locks = this.#locks;
    await this.follow();
    if (!this.#state.standing.user) throw new HoldfastError('signed_out');
    if (this.#state.locked) throw new HoldfastError('locked');
    if (!canPrompt()) throw new HoldfastError('not_supported');
    if (this.#granted()?.length === 0) throw new HoldfastError('not_granted');
    const era = this.#era;
    let handed = this.#held ? undefined : await this.#ask();
    const shown = await showPasskeyWithPrf(context, signal, (user) => prfInput(context.origin, user));
    if (!shown.output) {
      this.#noPrf = true;
      this.#tell();
      throw new HoldfastError('prf_unavailable');
    }
    this.#noPrf = false;
    const opened = await this.#openedBy(shown, shown.output);
    const held = handed ? null : await this.#unwrap(opened).catch((error: HoldfastError) => error);
    if (held === null || held instanceof HoldfastError) {
      handed ??= await this.#ask().catch((error: HoldfastError) => {
        throw held?.code === 'vault_wrap_invalid' ? held : error;
      });
      await this.#take(opened, handed, era);
    } else {
      await this.#import(opened, held);
    }
    if (opened.keys.size === 0) throw new HoldfastError('not_granted');
    if (locks !== this.#locks || era !== this.#era || this.#state.locked) throw new HoldfastError('vault_locked');
    this.#opened = opened;
    this.#watchIdle();
    this.#tell();
    void this.follow();
  }

  async #openedBy({ user, credential, all }: Shown, output: Bytes): Promise<Opened> {
    const binding = { origin: this.#state.context.origin, user, credential };
    const wrapping = await wrappingKey(output, binding);
    output.fill(0);
    return { binding, all, wrapping, keys: new Map(), marks: null };
  }

  /** Asks the server for the keys. Its absence is `vault_keys_missing`. */
  async #ask(): Promise<HandedOver> {
    return askForKeys(this.#state.context, this.#store).catch((cause: HoldfastError) => {
      throw cause.code === 'no_contact' ? new HoldfastError('vault_keys_missing', undefined, { cause }) : cause;
    });
  }

  /** The keys that are wrapped for the passkey. Throws `vault_keys_missing` if there are none. */
  async #unwrap({ wrapping, binding }: Opened): Promise<ContentKey[]> {
    const keys: ContentKey[] = [];
    for (const [feature, wraps] of Object.entries(this.#held?.features ?? {})) {
      const own = Object.hasOwn(wraps, binding.credential) ? wraps[binding.credential] : undefined;
      if (own) keys.push(...(await unwrap(wrapping, binding, feature, own)));
    }
    if (keys.length === 0 || (this.#held?.features[vaultFeature] && !keys.some(isOwn))) {
      throw new HoldfastError('vault_keys_missing');
    }
    return keys;
  }

  /** Takes keys that were handed over: wraps them for the passkey that is in use, and replaces those of before. */
  async #take(opened: Opened, handed: HandedOver, era: number): Promise<void> {
    const granted = this.#granted();
    const keys = handed.keys.filter(({ feature }) => granted?.includes(feature) ?? true);
    const { user, credential } = opened.binding;
    if (handed.user !== user) throw new HoldfastError('subject_mismatch');
    const fresh: Opened = { ...opened, keys: new Map() };
    const wraps: Record<string, Wrap> = {};
    for (const feature of new Set(keys.map((key) => key.feature))) {
      const own = keys.filter((key) => key.feature === feature);
      wraps[feature] = await wrap(opened.wrapping, opened.binding, feature, own);
    }
    await this.#import(fresh, keys);
    if (fresh.marks && handed.epoch !== null) await fresh.marks.raiseEpoch(handed.epoch);
    const revision = this.#state.standing.document?.rev ?? 0;
    await this.#store.changeWrapped((stored) => {
      if (era !== this.#era) return null;
      const held = readWrapped(stored);
      const before = held?.user === user ? held.features : {};
      const kept = ([id]: [string, Wrap]) => id !== credential && opened.all.includes(id);
      const features = Object.entries(wraps).map(([feature, own]) => {
        const others = Object.fromEntries(Object.entries(before[feature] ?? {}).filter(kept));
        return [feature, { ...others, [credential]: own }];
      });
      this.#held = { user, revision, features: Object.fromEntries(features) };
      return this.#held;
    });
    if (era !== this.#era) throw new HoldfastError('vault_locked');
    opened.keys.clear();
    for (const [feature, own] of fresh.keys) opened.keys.set(feature, own);
    opened.marks = fresh.marks;
  }

  /** Imports keys and clears their bytes. */
  async #import(opened: Opened, keys: readonly ContentKey[]): Promise<void> {
    for (const { feature, epoch, bytes } of keys.toSorted((a, b) => a.epoch - b.epoch)) {
      const key = feature === vaultFeature ? await importSealingKey(bytes) : await importPackKey(bytes);
      bytes.fill(0);
      const own = opened.keys.get(feature) ?? new Map<number, CryptoKey>();
      opened.keys.set(feature, own.set(epoch, key));
    }
    const [first] = opened.keys.get(vaultFeature)?.values() ?? [];
    opened.marks = first ? await Marks.open(this.#store, first) : null;
  }

  async #refresh(): Promise<void> {
    const opened = this.#demandOpened();
    const era = this.#era;
    try {
      await this.#take(opened, await this.#ask(), era);
      this.#problem = null;
    } catch (error) {
      if (error instanceof HoldfastError) this.#problem = error.code;
      throw error;
    } finally {
      this.#tell();
    }
  }

  /** The key of an epoch, from the server if this device has not heard of it. */
  async #keyOf(feature: string, epoch: number): Promise<CryptoKey> {
    const find = () => this.#demandOpened().keys.get(feature)?.get(epoch);
    const key = find();
    if (key) return key;
    const cause = await this.refresh().then(
      () => undefined,
      (error: HoldfastError) => error,
    );
    const fetched = find();
    if (!fetched) throw new HoldfastError('vault_epoch_unknown', undefined, { cause });
    return fetched;
  }

  async #newObject(id: string): Promise<ObjectKey> {
    this.#state.demandOpen();
    readId(id);
    this.#permit(vaultFeature);
    const newest = async () => {
      const { keys, marks } = this.#demandOpened();
      const [epoch, key] = [...(keys.get(vaultFeature) ?? [])].at(-1) ?? [];
      if (!epoch || !key || !marks) throw new HoldfastError('not_granted');
      return { epoch, key, marks, behind: epoch < (await marks.highestEpoch()) };
    };
    let { epoch, key, marks, behind } = await newest();
    if (behind) {
      await this.refresh().catch(() => {});
      ({ epoch, key, marks, behind } = await newest());
      if (behind) throw new HoldfastError('vault_epoch_rollback');
    }
    const numbers = await marks.next(id, epoch, this.#state.context.clock());
    return newObject(key, id, numbers);
  }

  async #known(id: string, sealed: Bytes): Promise<{ object: ObjectKey; numbers: Numbers }> {
    this.#demandOpened();
    readId(id);
    const numbers = readNumbers(sealed);
    return { numbers, object: await knownObject(await this.#keyOf(vaultFeature, numbers.epoch), id, sealed) };
  }

  async #admit(id: string, numbers: Numbers, { earlier }: OpenOptions): Promise<void> {
    if (!earlier) await this.#demandOpened().marks?.admit(id, numbers);
  }

  /** Throws unless the feature may be used now. */
  #permit(feature: string): void {
    const { error, features } = this.#state.entitlement;
    if (!this.#state.standing.user) throw new HoldfastError('signed_out');
    if (Object.hasOwn(features, feature)) return;
    throw new HoldfastError(error ?? 'not_granted');
  }

  #demandOpened(): Opened {
    this.#state.demandOpen();
    if (!this.#opened) throw new HoldfastError(this.#noPrf ? 'prf_unavailable' : 'vault_locked');
    return this.#opened;
  }

  #demand(opened: Opened | undefined): void {
    if (!opened || this.#demandOpened() !== opened) throw new HoldfastError('vault_locked');
  }

  /** The result of `work`, unless the vault is locked meanwhile. */
  async #while<T>(work: () => Promise<T>): Promise<T> {
    const opened = this.#demandOpened();
    const result = await work();
    this.#demand(opened);
    return result;
  }

  #drop(): void {
    this.#locks++;
    this.#era++;
    this.#opened?.keys.clear();
    this.#opened = undefined;
    this.#problem = null;
    this.#watch?.stop();
    this.#watch = undefined;
  }

  #watchIdle(): void {
    const { clock } = this.#state.context;
    let noted = clock();
    this.#watch?.stop();
    this.#watch = new IdleWatch(this.#options.idle ?? defaultIdle, {
      clock,
      lastNoted: async () => noted,
      note: async (at) => {
        noted = at;
      },
      idle: async () => this.lock(),
    });
  }

  #tell(): void {
    const next = same(this.#status, Object.freeze(this.#describe()));
    if (next === this.#status) return;
    this.#status = next;
    for (const listener of this.#listeners) queueMicrotask(listener);
  }

  #describe(): VaultStatus {
    const none = { epoch: null, packs: [], problem: null };
    const { user } = this.#state.standing;
    if (!user) return { state: 'signed_out', ...none };
    if (this.#opened) {
      const { keys } = this.#opened;
      const epoch = [...(keys.get(vaultFeature)?.keys() ?? [])].at(-1) ?? null;
      const packs = [...keys.keys()].filter((feature) => feature !== vaultFeature);
      return { state: 'open', epoch, packs, problem: this.#problem };
    }
    const held = this.#held?.user === user.id;
    if (!held && !this.#granted()?.includes(vaultFeature)) return { state: 'not_granted', ...none };
    if (this.#noPrf || !canPrompt()) return { state: 'no_prf', ...none };
    return { state: held ? 'locked' : 'needs_server', ...none };
  }
}

const isOwn = ({ feature }: ContentKey) => feature === vaultFeature;

/** Reads the wraps; null if a record is none. What is in them is authenticated when it is unwrapped. */
function readWrapped(value: unknown): Wrapped | null {
  return isObject(value) && typeof value.user === 'string' && isObject(value.features)
    ? (value as unknown as Wrapped)
    : null;
}

/** Throws `invalid_request` unless all encoders encode the id alike. */
function readId(id: string): void {
  if (typeof id !== 'string' || id === '' || id.length > maxId || /\p{Surrogate}/u.test(id)) {
    throw new HoldfastError('invalid_request', 'invalid_request: id');
  }
}

async function contentOf(data: string | BufferSource | Blob): Promise<Bytes> {
  if (typeof data === 'string') return new TextEncoder().encode(data);
  if (data instanceof Blob) return failingWith('malformed', async () => new Uint8Array(await data.arrayBuffer()));
  if (data instanceof ArrayBuffer) return new Uint8Array(data);
  if (ArrayBuffer.isView(data)) return new Uint8Array(data.buffer as ArrayBuffer, data.byteOffset, data.byteLength);
  throw new HoldfastError('invalid_request', 'invalid_request: data');
}

function joined(left: Bytes, right: Uint8Array): Bytes {
  const both = new Uint8Array(left.length + right.length);
  both.set(left);
  both.set(right, left.length);
  return both;
}

/** A stream through a {@link cutter}. `before` takes the beginning of the stream out. */
function piped(
  size: number,
  start: (
    controller: TransformStreamDefaultController<Bytes>,
  ) => (piece: Bytes, index: number, last: boolean) => Promise<void>,
  before: (bytes: Uint8Array) => Uint8Array = (bytes) => bytes,
): TransformStream<Uint8Array, Bytes> {
  let cut: ReturnType<typeof cutter>;
  return new TransformStream<Uint8Array, Bytes>({
    start: (controller) => {
      cut = cutter(size, start(controller));
    },
    transform: (bytes) => cut.push(before(bytes)),
    flush: () => cut.end(),
  });
}
