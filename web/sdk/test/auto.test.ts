import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { Holdfast } from '../src/index.ts';
import { reconcileInBackground } from '../src/worker.ts';
import { FakeEventSource, stubBrowser } from './support/browser.ts';
import { Profile } from './support/device.ts';
import { day, FakeServer, origin, problem } from './support/fake-server.ts';

let browser: ReturnType<typeof stubBrowser>;
let server: FakeServer;
let profile: Profile;
vi.setConfig({ testTimeout: 60_000 });
const random = vi.spyOn(Math, 'random');

beforeEach(async () => {
  browser = stubBrowser();
  random.mockReturnValue(0);
  server = await FakeServer.create();
  profile = new Profile(server);
});

afterEach(() => {
  profile.close();
  vi.unstubAllGlobals();
});

const offline = async () => Promise.reject(new TypeError('offline'));
const reconciles = () => server.requests.filter((request) => request === 'POST /v1/reconcile').length;
const eventually = (check: () => unknown) => vi.waitFor(check, { timeout: 30_000, interval: 20 });

/** A tab of the signed-in user that has reconciled at its start and is idle. */
async function openTab(): Promise<Holdfast> {
  const before = reconciles();
  const tab = await profile.open({ autoReconcile: true });
  await eventually(() => expect(reconciles()).toBe(before + 1));
  await tab.reconcile();
  return tab;
}

async function signedIn(): Promise<void> {
  await profile.openPremium();
  profile.close();
}

/** Lets pending work finish: waits take at most half a second here. */
const rest = () => new Promise((resolve) => setTimeout(resolve, 700));

describe('automatically', () => {
  beforeEach(signedIn);

  it('reconciles at the start, and when the browser is online again', async () => {
    await openTab();
    server.requests.length = 0;
    browser.online();
    await eventually(() => expect(reconciles()).toBe(1));
  });

  it('reconciles when the page becomes visible, not when it is hidden', async () => {
    await openTab();
    server.requests.length = 0;
    browser.show('hidden');
    await rest();
    expect(reconciles()).toBe(0);
    browser.show('visible');
    await eventually(() => expect(reconciles()).toBe(1));
  });

  it('stops on request', async () => {
    const tab = await openTab();
    tab.start()();
    expect(FakeEventSource.open).toHaveLength(0);
    server.requests.length = 0;
    browser.online();
    browser.show('visible');
    await rest();
    expect(server.requests).toEqual([]);
  });

  it('two tabs and the worker share one request and its answer', async () => {
    reconcileInBackground({ origin, roots: server.roots, database: profile.database, fetch: server.fetch });
    const tabs = [await openTab(), await openTab()];
    server.interfere = offline;
    await tabs[0]?.reconcile();
    await eventually(() => expect(browser.worker.registered).toContain('holdfast-reconcile'));
    server.interfere = () => undefined;
    server.revision += 1;
    server.requests.length = 0;

    browser.online();
    await browser.worker.wake('sync');
    await eventually(() => expect(tabs.map((tab) => tab.entitlement.revision)).toEqual([2, 2]));
    await rest();
    expect(reconciles()).toBe(1);
    expect(server.requests).not.toContain('GET /v1/session');
  });

  it('tabs that get the lock one after the other share one request', async () => {
    const tabs = [await openTab(), await openTab()];
    server.requests.length = 0;
    // Visible at the same time: only the lock separates them, not jitter.
    browser.show('visible');
    await rest();
    expect(reconciles()).toBe(1);
    // A call by the app always sends a request: the answer is never older than the call.
    await Promise.all(tabs.map((tab) => tab.reconcile()));
    expect(reconciles()).toBe(3);
  });

  it('retries after contact by the app if something is due', async () => {
    const tab = await openTab();
    server.requests.length = 0;
    tab.contacted();
    await rest();
    expect(server.requests).toEqual([]);
    // Due for ten minutes; the device waits for its share of the spread, but contact comes first.
    random.mockReturnValue(0.99);
    await tab.reconcile();
    server.now += day + 600;
    profile.clock = server.now * 1000;
    const now = performance.now();
    vi.spyOn(performance, 'now').mockImplementation(() => now + 60_000);
    server.requests.length = 0;
    await rest();
    expect(server.requests).toEqual([]);
    tab.contacted();
    await eventually(() => expect(reconciles()).toBe(1));
    vi.mocked(performance.now).mockRestore();
  });

  it.each([
    [404, 'device_unknown'],
    [502, 'unauthenticated'],
    [502, 'device_key_unavailable'],
  ] as const)('asks again when somebody on the way said %i %s', async (status, code) => {
    const tab = await openTab();
    server.interfere = async () => problem(status, code);
    await tab.reconcile();
    expect(tab.entitlement).toMatchObject({ state: 'active', signInNeeded: true });
    server.interfere = () => undefined;
    await eventually(() => expect(tab.entitlement.signInNeeded).toBe(false));
  });

  it('registers both kinds of sync where permitted', async () => {
    const tab = await openTab();
    await eventually(() => expect(browser.worker.registered).toEqual(['holdfast-reconcile every 12 h']));
    server.interfere = async () => problem(500, 'internal');
    await tab.reconcile();
    await tab.reconcile();
    await eventually(() => expect(browser.worker.registered).toHaveLength(2));
    expect((await profile.held()).owed).toBe((await profile.held()).lineage);
    // The browser abandons a sync after a few tries, so a page that may not come back registers another one.
    browser.show('hidden');
    await eventually(() => expect(browser.worker.registered).toHaveLength(3));
    profile.close();

    browser = stubBrowser({ periodic: 'denied' });
    server.interfere = () => undefined;
    await openTab();
    await rest();
    expect(browser.worker.registered).toEqual([]);
  });

  it('tells the server of an offline sign-out as soon as it is reachable', async () => {
    const tab = await openTab();
    server.interfere = offline;
    expect(await tab.signOut()).toBe(false);
    await eventually(() => expect(browser.worker.registered).toContain('holdfast-reconcile'));
    server.interfere = () => undefined;
    // No user action: the retry does it.
    await eventually(() => expect(server.signedIn).toBe(false));
    expect(server.devices.size).toBe(0);
  });
});

describe('an unexpected lock', () => {
  beforeEach(signedIn);
  const over = { state: 'expired', reason: 'lapsed', features: {}, plans: [] };
  const twoMinutes = () => {
    const now = performance.now();
    vi.spyOn(performance, 'now').mockImplementation(() => now + 120_000);
    profile.pass(120_000);
    server.now += 120;
  };
  afterEach(() => void vi.mocked(performance.now).mockRestore?.());

  it.each([
    ['the server’s clock was 20 days ahead', 20 * day],
    ['the subscription was lost for a moment', 0],
  ])('is checked again within minutes: %s', async (_, ahead) => {
    const tab = await openTab();
    const paid = server.claims;
    server.claims = over;
    server.now += ahead;
    await tab.reconcile();
    expect(tab.entitlement).toMatchObject({ state: 'expired', reason: 'lapsed' });
    server.now -= ahead;
    server.claims = paid;
    twoMinutes();
    // A timer of a minute does not fire in a test; contact triggers the same work, if it is due.
    tab.contacted();
    await eventually(() => expect(tab.has('export')).toBe(true));
  });

  it.each([
    ['support has ended it', { ...over, state: 'revoked', reason: 'revoked' }, 0],
    ['its end had come', over, 8 * day],
  ])('does not occur if %s', async (_, claims, later) => {
    const tab = await openTab();
    server.claims = claims;
    server.now += later;
    profile.pass(later * 1000);
    await tab.reconcile();
    const before = reconciles();
    twoMinutes();
    tab.contacted();
    await rest();
    expect(reconciles()).toBe(before);
  });
});

describe('by push', () => {
  beforeEach(signedIn);

  const stream = async () => {
    await eventually(() => expect(FakeEventSource.open).toHaveLength(1));
    FakeEventSource.last.accept();
    return FakeEventSource.last;
  };

  it('a revocation locks all tabs with one request', async () => {
    const tabs = [await openTab(), await openTab()];
    const events = await stream();
    server.requests.length = 0;
    events.send('{"revision":1}');
    await rest();
    expect(server.requests).toEqual([]);

    server.revision = 2;
    server.claims = { state: 'revoked', reason: 'revoked', features: {}, plans: [] };
    events.send('{"revision":2}');
    await eventually(() => expect(tabs.map((tab) => tab.has('export'))).toEqual([false, false]));
    await rest();
    expect(reconciles()).toBe(1);
  });

  it.each([
    ['announced', (events: FakeEventSource) => events.send('{}', 'session_ended')],
    ['noticed when the stream was to be reopened', (events: FakeEventSource) => events.refuse()],
  ])('the end of the session is judged, since the device may be removed: %s', async (_, end) => {
    const tab = await openTab();
    const events = await stream();
    server.interfere = async (request) =>
      /session$/.test(request.url) ? problem(401, 'unauthenticated') : problem(404, 'device_unknown');
    end(events);
    await eventually(() => expect(tab.entitlement.signInNeeded).toBe(true));
  });

  it('asks again for a revision announced during a request', async () => {
    const tab = await openTab();
    const events = await stream();
    let release = () => {};
    const held = new Promise<void>((resolve) => (release = resolve));
    server.interfere = (request, pass) =>
      request.url.endsWith('/v1/reconcile')
        ? (async () => {
            const answer = await pass();
            await held;
            return answer;
          })()
        : undefined;
    browser.show('visible');
    await eventually(() => expect(reconciles()).toBeGreaterThan(2));
    server.revision = 2;
    events.send('{"revision":2}');
    server.interfere = () => undefined;
    release();
    await eventually(() => expect(tab.entitlement.revision).toBe(2));
  });

  it('asks for a revision newer than another tab has just taken', async () => {
    const tab = await openTab();
    const events = await stream();
    // Another tab's answer is on disk, but this tab has not been notified.
    const tell = vi.spyOn(BroadcastChannel.prototype, 'postMessage').mockReturnValue();
    await (await profile.open()).reconcile();
    tell.mockRestore();
    server.revision = 2;
    events.send('{"revision":2}');
    await eventually(() => expect(tab.entitlement.revision).toBe(2));
  });

  it('keeps an announced revision when another tab takes an older answer first', async () => {
    const tab = await openTab();
    const events = await stream();
    const other = await profile.open();
    server.requests.length = 0;
    events.send('{"revision":2}');
    await other.reconcile();
    expect(reconciles()).toBe(1);
    server.revision = 2;
    await eventually(() => expect(tab.entitlement.revision).toBe(2));
  });

  it('follows events again after a sign-in when the session was over', async () => {
    const tab = await openTab();
    const events = await stream();
    server.interfere = (request) =>
      request.url.endsWith('/v1/session') ? Promise.resolve(problem(401, 'unauthenticated')) : undefined;
    events.refuse();
    await rest();
    expect(FakeEventSource.open).toHaveLength(0);
    await tab.signIn();
    await stream();
  });
});
