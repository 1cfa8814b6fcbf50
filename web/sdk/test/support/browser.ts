import { vi } from 'vitest';
import { stubPasskeys } from './device.ts';

/** Web Locks as in a browser, for the tabs that a test opens in one page: exclusive, in order, abortable. */
export class FakeLocks {
  readonly #queues = new Map<string, Promise<unknown>>();

  request<T>(name: string, { signal }: { signal?: AbortSignal }, work: () => Promise<T>): Promise<T> {
    const before = this.#queues.get(name) ?? Promise.resolve();
    let mine: Promise<unknown> = before;
    const granted = new Promise<T>((resolve, reject) => {
      let over = false;
      signal?.addEventListener('abort', () => {
        over = true;
        reject(signal.reason);
      });
      mine = before.then(async () => {
        if (over) return;
        await work().then(resolve, reject);
      });
    });
    this.#queues.set(name, mine);
    return granted;
  }
}

/** The opened streams, in order. The test acts as the server. */
export class FakeEventSource extends EventTarget {
  static opened: FakeEventSource[] = [];
  readonly CLOSED = 2;
  readyState = 0;
  onopen: (() => void) | null = null;
  onerror: (() => void) | null = null;
  readonly url: string;
  readonly withCredentials: boolean;

  constructor(url: string, { withCredentials = false } = {}) {
    super();
    this.url = url;
    this.withCredentials = withCredentials;
    FakeEventSource.opened.push(this);
  }

  static stub(): void {
    FakeEventSource.opened = [];
    vi.stubGlobal('EventSource', FakeEventSource);
  }

  static get last(): FakeEventSource {
    const last = FakeEventSource.opened.at(-1);
    if (!last) throw new Error('no stream was opened');
    return last;
  }

  /** The open streams. */
  static get open(): FakeEventSource[] {
    return FakeEventSource.opened.filter(({ readyState }) => readyState !== 2);
  }

  accept(): void {
    this.readyState = 1;
    this.onopen?.();
  }

  send(data: string, type = 'entitlements'): void {
    this.dispatchEvent(new MessageEvent(type, { data }));
  }

  /** Breaks the connection: left alone, a browser would reconnect. */
  lose(): void {
    this.readyState = 0;
    this.onerror?.();
  }

  /** Answers with something other than a stream. */
  refuse(): void {
    this.readyState = 2;
    this.onerror?.();
  }

  close(): void {
    this.readyState = 2;
  }
}

/** A service worker's globals for `reconcileInBackground`. The test acts as the browser that wakes it. */
export class FakeWorker extends EventTarget {
  readonly registered: string[] = [];

  static stub(): FakeWorker {
    const worker = new FakeWorker();
    vi.stubGlobal('self', worker);
    return worker;
  }

  /** Wakes the worker; settles as the event does. */
  async wake(type: 'sync' | 'periodicsync', tag = 'holdfast-reconcile'): Promise<unknown> {
    const works: Promise<unknown>[] = [];
    this.dispatchEvent(
      Object.assign(new Event(type), { tag, waitUntil: (work: Promise<unknown>) => works.push(work) }),
    );
    return Promise.all(works);
  }
}

/** A browser with all features that this package uses. Returns its page. */
export function stubBrowser({ periodic = 'granted' } = {}) {
  stubPasskeys();
  FakeEventSource.stub();
  const worker = FakeWorker.stub();
  const register = async (tag: string) => void worker.registered.push(tag);
  const registration = {
    sync: { register },
    periodicSync: {
      register: async (tag: string, { minInterval }: { minInterval: number }) =>
        void worker.registered.push(`${tag} every ${minInterval / 3_600_000} h`),
    },
  };
  vi.stubGlobal('navigator', {
    credentials: navigator.credentials,
    userAgent: 'Firefox Windows',
    locks: new FakeLocks(),
    serviceWorker: { ready: Promise.resolve(registration), getRegistration: async () => registration },
    permissions: { query: async () => ({ state: periodic }) },
  });
  const document = Object.assign(new EventTarget(), { visibilityState: 'visible' });
  vi.stubGlobal('document', document);
  const window = new EventTarget();
  vi.stubGlobal('addEventListener', window.addEventListener.bind(window));
  return {
    worker,
    online: () => window.dispatchEvent(new Event('online')),
    show(visibilityState: 'visible' | 'hidden') {
      document.visibilityState = visibilityState;
      document.dispatchEvent(new Event('visibilitychange'));
    },
  };
}
