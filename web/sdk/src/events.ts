import { type Channel, openChannel } from './channel.ts';
import { HoldfastError } from './error.ts';
import { takeTurn } from './lock.ts';
import { type Chance, Retry, realChance } from './retry.ts';
import { isObject } from './strict-json.ts';

/** The range of the wait before a stream that broke is opened again: a restarted server has lost all of them at once. */
const first = 30_000;

/** The listener of an event stream. */
export interface Audience {
  /** The server's revision of the user: told at every opening, and whenever anything changes. */
  heard(revision: number): void;
  /** Whether the cookie's session lives. Rejects with a {@link HoldfastError} if that cannot be found out. */
  hasSession(): Promise<boolean>;
}

/**
 * The server's events (`GET /v1/events`), heard by one tab for all: the one that holds the lock `<name>:events`. When
 * it is closed, the next one takes over; a hidden page keeps it. A stream needs a session: where there is none, the tab
 * holds the lock in silence until somebody signs in. Server-sent events are EventSource's (HTML Living Standard §9.2),
 * but for its fixed wait before it tries again.
 */
export class EventStream {
  readonly #url: string;
  readonly #name: string;
  readonly #audience: Audience;
  readonly #retry: Retry;
  readonly #channel: Channel;
  #user: string | null = null;
  /** Ends the leadership, or the waiting for it. */
  #candidacy: AbortController | undefined;
  /** Whether this tab holds the lock. */
  #leads = false;
  #source: EventSource | undefined;
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(origin: string, name: string, audience: Audience, chance: Chance = realChance) {
    this.#url = `${origin}/v1/events`;
    this.#name = `${name}:events`;
    this.#audience = audience;
    this.#retry = new Retry(first, chance);
    this.#channel = openChannel(this.#name, () => this.#renew());
  }

  /** The user whose events are followed; null: nobody is signed in. */
  follow(user: string | null): void {
    if (user === this.#user) return;
    this.#user = user;
    this.#resign();
    if (user !== null) this.#stand();
  }

  /** There is a new session, with a stream of its own. */
  signedIn(): void {
    this.#renew();
    this.#channel.post();
  }

  /** The server was reached: a stream that waits to be opened again need not. */
  reachable(): void {
    if (this.#timer !== undefined && this.#retry.barred === 0) this.#connect();
  }

  close(): void {
    this.follow(null);
    this.#channel.close();
  }

  #stand(): void {
    // Nothing to be heard with; being reconciled when it is seen must do.
    if (typeof EventSource === 'undefined') return;
    this.#candidacy = new AbortController();
    const { signal } = this.#candidacy;
    const lead = () =>
      new Promise<void>((resolve) => {
        if (signal.aborted) return resolve();
        signal.addEventListener('abort', () => resolve());
        this.#leads = true;
        this.#connect();
      });
    // Rejects when it is aborted before its turn has come.
    takeTurn(this.#name, signal, lead).catch(() => {});
  }

  #resign(): void {
    this.#leads = false;
    this.#disconnect();
    this.#candidacy?.abort();
  }

  #renew(): void {
    if (this.#leads) this.#connect();
  }

  #connect(): void {
    this.#disconnect();
    const source = new EventSource(this.#url, { withCredentials: true });
    this.#source = source;
    source.onopen = () => this.#retry.succeeded();
    source.addEventListener('entitlements', ({ data }) => {
      const revision = readRevision(data);
      if (revision !== null) this.#audience.heard(revision);
    });
    source.onerror = () => {
      // Closed for good: there was an answer, but it was no stream. Else the browser would try again on its own.
      const refused = source.readyState === source.CLOSED;
      source.close();
      void this.#tryLater(source, refused);
    };
  }

  #disconnect(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#source?.close();
    this.#source = undefined;
  }

  /** EventSource does not tell a session that is over from a server that is overloaded: that is asked for. */
  async #tryLater(source: EventSource, refused: boolean): Promise<void> {
    let retryAfter: number | undefined;
    try {
      if (refused && !(await this.#audience.hasSession())) return;
    } catch (error) {
      if (error instanceof HoldfastError) retryAfter = error.retryAfter;
    }
    if (this.#source !== source) return;
    this.#retry.failed(retryAfter);
    this.#timer = setTimeout(() => this.#connect(), this.#retry.wait);
  }
}

/** `{"revision":12}`; anything else is not the server's. */
function readRevision(data: unknown): number | null {
  try {
    const event: unknown = JSON.parse(String(data));
    return isObject(event) && Number.isSafeInteger(event.revision) ? (event.revision as number) : null;
  } catch {
    return null;
  }
}
