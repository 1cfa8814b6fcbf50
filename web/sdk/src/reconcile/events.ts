import { HoldfastError } from '../base/error.ts';
import { isObject } from '../base/strict-json.ts';
import { type Channel, openChannel } from '../state/channel.ts';
import { type Chance, Retry, realChance } from './retry.ts';
import { takeTurn } from './with-lock.ts';

/** The range of the wait before a broken stream is reopened: a restarted server has lost all streams at once. */
const first = 30_000;

/** The range of the wait before the server is asked why a stream broke. */
const doubt = 5_000;

/** The listener of an event stream. */
export interface Audience {
  /** Called with the server's revision of the user, at every opening and after every change. */
  heard(revision: number): void;
  /** Called when an act of the user's was accepted, on whichever device. */
  acted(): void;
  /** Called when the session has ended: the user's other devices or support may have removed this device, too. */
  sessionEnded(): void;
  /** Whether the cookie's session is live. Rejects with a {@link HoldfastError} if that is unknown. */
  hasSession(): Promise<boolean>;
}

/**
 * EventStream follows the server's events (`GET /v1/events`) in one tab for all: the holder of the lock `<name>:events`.
 * When that tab closes, the next one takes over; a hidden page keeps the lock. A stream needs a session: without one, the
 * tab holds the lock and opens no stream until a user signs in. It uses EventSource (HTML Living Standard §9.2), except for
 * its fixed reconnection time.
 */
export class EventStream {
  readonly #url: string;
  readonly #name: string;
  readonly #audience: Audience;
  readonly #retry: Retry;
  readonly #chance: Chance;
  readonly #channel: Channel;
  #user: string | null = null;
  /** Ends the leadership, or the wait for it. */
  #candidacy: AbortController | undefined;
  /** Whether a stream was open in this session. */
  #opened = false;
  /** Whether this tab holds the lock. */
  #leads = false;
  #source: EventSource | undefined;
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(origin: string, name: string, audience: Audience, chance: Chance = realChance) {
    this.#url = `${origin}/v1/events`;
    this.#name = `${name}:events`;
    this.#audience = audience;
    this.#retry = new Retry(first, chance);
    this.#chance = chance;
    this.#channel = openChannel(this.#name, () => this.#renew());
  }

  /** The user whose events are followed; null: nobody is signed in. */
  follow(user: string | null): void {
    if (user === this.#user) return;
    this.#user = user;
    this.#resign();
    if (user !== null) this.#stand();
  }

  /** A new session has begun and needs a new stream. */
  signedIn(): void {
    this.#renew();
    this.#channel.post();
  }

  /** The server was reached: a stream waiting to reconnect does so now. */
  reachable(): void {
    if (this.#timer !== undefined && this.#retry.barred === 0) this.#connect();
  }

  close(): void {
    this.follow(null);
    this.#channel.close();
  }

  #stand(): void {
    // Without EventSource, the page still reconciles whenever it becomes visible.
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
    // Rejects when aborted before the lock is granted.
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
    source.onopen = () => {
      this.#opened = true;
      this.#retry.succeeded();
    };
    source.addEventListener('entitlements', ({ data }) => {
      const revision = readRevision(data);
      if (revision !== null) this.#audience.heard(revision);
    });
    source.addEventListener('actions', () => this.#audience.acted());
    source.addEventListener('session_ended', () => this.#sessionEnded());
    source.onerror = () => {
      // CLOSED: the answer was not a stream. Otherwise the browser would reconnect by itself.
      const refused = source.readyState === source.CLOSED;
      source.close();
      void this.#tryLater(source, refused);
      // The page should know within seconds whether the server is out of reach, which any request tells it.
      if (!refused) setTimeout(() => this.#source === source && this.#ask(), this.#chance.random() * doubt);
    };
  }

  #disconnect(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#source?.close();
    this.#source = undefined;
  }

  /** Once per session, and not if it had ended before the page opened. */
  #sessionEnded(): void {
    if (!this.#opened) return;
    this.#opened = false;
    this.#audience.sessionEnded();
  }

  #ask(): void {
    this.#audience.hasSession().catch(() => {});
  }

  /** EventSource cannot tell an ended session from an overloaded server, so the server is asked. */
  async #tryLater(source: EventSource, refused: boolean): Promise<void> {
    let retryAfter: number | undefined;
    try {
      if (refused && !(await this.#audience.hasSession())) {
        this.#sessionEnded();
        return;
      }
    } catch (error) {
      if (error instanceof HoldfastError) retryAfter = error.retryAfter;
    }
    if (this.#source !== source) return;
    this.#retry.failed(retryAfter);
    this.#timer = setTimeout(() => this.#connect(), this.#retry.wait);
  }
}

/** Reads `{"revision":12}`. Anything else does not come from the server. */
function readRevision(data: unknown): number | null {
  try {
    const event: unknown = JSON.parse(String(data));
    return isObject(event) && Number.isSafeInteger(event.revision) ? (event.revision as number) : null;
  } catch {
    return null;
  }
}
