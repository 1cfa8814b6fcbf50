import {
  type Keyset,
  type KeysetMark,
  type Roots,
  raiseMarks,
  readPublicKey,
  type SigningKey,
  type TrustedRoots,
  trustRoots,
  verifyKeyset,
} from '@holdfast/client/verifier';
import { Copied } from './copied.ts';
import { type Document, Refused, refusing, verifyDocument } from './document.ts';
import { type StatusList, verifyStatusList } from './status-list.ts';

/** How long keys are used before they are fetched again; and when a document names a key that is not among them. */
const keysAge = 60_000;
const keysPace = 10_000;

/** How long a fetch may take, in milliseconds. */
const patience = 5_000;

/** The largest answer of the issuer, in bytes. A status list takes at most 480 kB. */
const maxAnswer = 1 << 20;

/** The settings that an {@link Issuer} needs. */
export interface IssuerSettings {
  readonly issuer: string;
  readonly roots: Roots | undefined;
  readonly maxStale: number;
  readonly fetch: typeof fetch;
  readonly now: () => number;
}

/** Fetches and holds what the issuer publishes. */
export class Issuer {
  readonly #settings: IssuerSettings;
  readonly #keyset: Copied<Keyset>;
  readonly #lists = new Map<string, Copied<StatusList>>();
  readonly #roots: Promise<TrustedRoots> | undefined;
  #marks: readonly KeysetMark[] = [];

  constructor(settings: IssuerSettings) {
    this.#settings = settings;
    this.#roots = settings.roots && trustRoots(settings.roots);
    this.#roots?.catch(() => {}); // reported where they are used
    this.#keyset = new Copied(() => this.#fetchKeyset(), settings.now, settings.maxStale);
  }

  /** Keys that were fetched at most `age` ago. */
  keyset(age = keysAge): Promise<Keyset> {
    return this.#keyset.get((_, fetched) => fetched + age);
  }

  /** Verifies a document that must be bound to the key `jkt`. Rejects with {@link Refused}, or with {@link Unknown}. */
  async verify(document: string, jkt: string): Promise<Document> {
    const { issuer, now } = this.#settings;
    const attempt = async (age: number) => {
      const keyset = await this.keyset(age).catch(unknown);
      return verifyDocument(document, { keyset, issuer, jkt, now: now() });
    };
    return attempt(keysAge).catch((error) => {
      if (error instanceof Refused && error.code === 'key_unknown') return attempt(keysPace);
      throw error;
    });
  }

  /** A verified document's status. Rejects with {@link Refused}, or with {@link Unknown}. */
  async status({ idx, uri }: Document['status']): Promise<number> {
    const { issuer, now, maxStale } = this.#settings;
    if (!uri.startsWith(`${issuer}/v1/status-lists/`)) throw new Refused('claims_invalid');
    let copied = this.#lists.get(uri);
    if (!copied) {
      const fetchList = async () => verifyStatusList(await this.#fetch(uri), uri, await this.keyset(), now());
      copied = new Copied(fetchList, now, maxStale);
      this.#lists.set(uri, copied);
    }
    const list = await copied.get(({ ttl, exp }, fetched) => Math.min(fetched + ttl * 1000, exp * 1000)).catch(unknown);
    if (now() >= list.exp * 1000) throw new Unknown('the status list has ended');
    const status = list.at(idx);
    if (status === undefined) throw new Refused('claims_invalid');
    return status;
  }

  async #fetchKeyset(): Promise<Keyset> {
    const { issuer, now } = this.#settings;
    if (!this.#roots) return readJwks(await this.#fetch(`${issuer}/.well-known/jwks.json`));
    const roots = await this.#roots;
    const jws = await this.#fetch(`${issuer}/.well-known/holdfast-keyset`);
    const keyset = await refusing(() => verifyKeyset(jws, { roots, issuer, marks: this.#marks, now: now() }));
    this.#marks = raiseMarks(this.#marks, keyset.mark, roots);
    return keyset;
  }

  /** A redirect would lead away from the origin that is trusted, so it is an error. */
  async #fetch(url: string): Promise<string> {
    const answer = await this.#settings.fetch(url, { redirect: 'error', signal: AbortSignal.timeout(patience) });
    if (answer.status !== 200) throw new Error(`GET ${url}: ${answer.status}`);
    const chunks: Uint8Array[] = [];
    let size = 0;
    for await (const chunk of answer.body ?? []) {
      size += chunk.length;
      if (size > maxAnswer) throw new Error(`GET ${url}: more than ${maxAnswer} bytes`);
      chunks.push(chunk);
    }
    return Buffer.concat(chunks).toString();
  }
}

/** Keys or a status list are not known now. */
export class Unknown extends Error {}

function unknown(cause: unknown): never {
  throw new Unknown(cause instanceof Error ? cause.message : String(cause), { cause });
}

/** Reads a JWK Set, which says nothing of when its keys may be used. Keys of other kinds are skipped. */
async function readJwks(text: string): Promise<Keyset> {
  const { keys: list } = JSON.parse(text) as { keys: unknown[] };
  const read = await Promise.all(list.map((jwk) => readPublicKey(jwk).catch(() => null)));
  const end = 253_402_300_799; // of the year 9999
  const keys = new Map(
    read.flatMap((found): [string, SigningKey][] => (found ? [[found.kid, { ...found, nbf: 0, exp: end }]] : [])),
  );
  if (keys.size === 0) throw new Refused('claims_invalid');
  return { version: 1, exp: end, keys, mark: { root: '', version: 1, digest: '' } };
}
