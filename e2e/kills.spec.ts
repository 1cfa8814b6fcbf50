import { type BrowserContext, errors, type Page } from '@playwright/test';
import { Chance } from './support/chance.ts';
import { Fieldbook } from './support/fieldbook.ts';
import type { Gateway, Passage, Stage } from './support/gateway.ts';
import { ServiceWorker } from './support/service-worker.ts';
import { expect, test } from './support/test.ts';

const kills = 300;

const victims = ['a tab, crashed', 'a tab, closed', 'the worker', 'the server', 'PostgreSQL', 'a connection'] as const;
const askers = ['tab', 'tab', 'worker'] as const;
const stages: readonly Stage[] = ['asked', 'forwarded', 'answered', 'passed on'];

test(`${kills} kills while two tabs and the worker reconcile never fork the device`, async ({
  page,
  context,
  gateway,
}) => {
  test.setTimeout(kills * 10_000);
  const chance = new Chance();
  console.log(`HOLDFAST_SEED=${chance.seed} repeats the choices of this drill`);
  const { server } = gateway;
  // A woken worker waits up to 30 seconds of jitter, since it is one of very many. This one is not.
  gateway.meddlings.set('/sw.js', (answer) =>
    answer.status === 200 ? { ...answer, body: Buffer.from(`Math.random = () => 0;\n${answer.body}`) } : answer,
  );
  const fieldbook = new Fieldbook(page, server.origin);
  await fieldbook.open();
  await fieldbook.createAccount('Ada');
  await fieldbook.write('Kept', 'Still here');
  await fieldbook.startTrial();
  await fieldbook.installed();
  const { id: device } = await fieldbook.held<{ id: string }>('device');
  const duration = await longest(5, () => fieldbook.checkNow());

  const worker = await ServiceWorker.of(context, server.origin);
  const turn = new Turn();
  const tabs = [
    await Tab.opened(context, server.origin, 'one', turn),
    await Tab.opened(context, server.origin, 'two', turn),
  ];
  await page.close();

  const asking = Promise.all(tabs.map((tab) => tab.keepAsking()));
  const traffic = new Traffic(gateway, asking);
  try {
    const plan = Array.from({ length: kills / victims.length }, () => victims).flat();
    for (const victim of chance.shuffled(plan)) {
      const stage = chance.pick(stages);
      const asks = victim === 'the worker' ? 'worker' : victim.startsWith('a tab') ? 'tab' : chance.pick(askers);
      const point = traffic.point(stage, asks, asks === 'tab' ? chance.pick([1, 2, 3]) : 1);
      if (asks === 'worker') await turn.without(() => wakeUntil(worker, point.reached));
      const asker = await point.reached;
      // Requests that the gateway does not hold continue, and are killed at any point.
      if (!point.holds) await elapse(chance.number() * duration);

      const tab = tabs.find(({ name }) => name === asker);
      if (victim === 'a tab, crashed') await tab?.crash();
      if (victim === 'a tab, closed') await tab?.close();
      if (victim === 'the worker') await worker.kill();
      if (victim === 'the server') await server.kill();
      if (victim === 'PostgreSQL') await server.postgres.kill();
      if (victim === 'a connection') await server.postgres.crash();

      // A request of a dead tab or worker may reach the server when others are far ahead. It does not if the server is dead,
      // though the awaited request may have come from a tab that died before.
      const dead = victim === 'the worker' || (victim.startsWith('a tab') && tab?.dead);
      if (dead && point.holds && chance.number() < 0.5) await traffic.further(2);
      point.release();

      if (victim === 'PostgreSQL') await server.ended(); // stops by itself, without its database
      if (victim === 'PostgreSQL' || victim === 'the server') await server.start();
      await server.ready();
      expect(traffic.answers.get(409), `after a kill: ${victim}, at "${stage}"`).toBeUndefined();
    }
  } finally {
    for (const tab of tabs) tab.rest();
    traffic.end();
  }
  await asking;
  console.log(`${kills} kills; ${traffic}`);

  for (const { app } of tabs) {
    const before = await app.held<string>('lineage');
    expect(await app.checkNow()).toBe('Up to date.');
    expect(await app.held<string>('lineage')).not.toBe(before);
    await app.expectPremium();
    expect((await app.held<{ id: string }>('device')).id).toBe(device);
  }
  const { devices } = await server.user('Ada');
  expect(devices).toMatchObject([{ id: device, quarantined: false }]);
  const trail = await server.trail('Ada');
  expect(trail).toContain('device.linked');
  expect(trail).not.toContain('device.forked');
  expect(traffic.answers.get(200)).toBeGreaterThan(kills);
});

/**
 * Wakes the worker until it sends a request: it sends none if a page has taken a newer document since it was woken, nor the
 * first time after a page has made up for the owed run.
 */
async function wakeUntil(worker: ServiceWorker, reached: Promise<unknown>): Promise<void> {
  let asked = false;
  const noted = reached.then(() => {
    asked = true;
  });
  while (!asked) {
    await worker.sync('holdfast-reconcile');
    await Promise.race([noted, elapse(100)]);
  }
}

/** Lets tabs send requests, or holds them back for others. */
class Turn {
  #free: Promise<unknown> = Promise.resolve();

  /** Resolves when a tab may send a request. */
  async of(): Promise<void> {
    await this.#free;
  }

  /** Meanwhile no tab begins a request. */
  async without(work: () => Promise<void>): Promise<void> {
    const done = work();
    this.#free = done.catch(() => {}); // the caller gets the error
    await done;
  }
}

/** A tab that reconciles continuously, and is reopened when killed. */
class Tab {
  readonly name: string;
  readonly #turn: Turn;
  app: Fieldbook;
  #crashed = false;
  /** The browser is gone: no tab can be opened any more. */
  #ended = false;
  #resting = false;

  private constructor(name: string, app: Fieldbook, turn: Turn) {
    this.name = name;
    this.app = app;
    this.#turn = turn;
  }

  static async opened(context: BrowserContext, origin: string, name: string, turn: Turn): Promise<Tab> {
    const tab = new Tab(name, new Fieldbook(await context.newPage(), origin), turn);
    context.on('close', () => {
      tab.#ended = true;
    });
    await tab.#open();
    return tab;
  }

  async keepAsking(): Promise<void> {
    while (!this.#resting || this.dead) {
      try {
        if (this.dead) await this.#reopen();
        await this.#turn.of();
        await this.app.checkNow();
      } catch (error) {
        // A request fails before the page is reported gone. Chromium also ends pages together with the worker's process.
        this.#crashed ||= !(await this.#answers());
        if (!this.dead || this.#ended) throw error;
      }
    }
  }

  rest(): void {
    this.#resting = true;
  }

  /**
   * Kills the page's process, unless it has ended: a dead tab's request may arrive late. A page between two processes
   * survives, and is closed.
   */
  async crash(): Promise<void> {
    if (this.dead) return;
    const { page } = this.app;
    const crashed = page.waitForEvent('crash', { timeout: patience }).catch(() => this.close());
    const cdp = await answered(page.context().newCDPSession(page));
    cdp?.send('Page.crash').catch(() => {}); // nobody is left to answer
    await crashed;
  }

  async close(): Promise<void> {
    await answered(this.app.page.close());
  }

  async #answers(): Promise<boolean> {
    return (await answered(this.app.page.evaluate(() => true)).catch(() => false)) ?? false;
  }

  get dead(): boolean {
    return this.#crashed || this.app.page.isClosed();
  }

  async #reopen(): Promise<void> {
    await this.close();
    const { page, origin } = this.app;
    const fresh = await answered(page.context().newPage());
    if (!fresh) return; // still dead: the next round opens another one
    this.app = new Fieldbook(fresh, origin);
    await this.#open();
  }

  async #open(): Promise<void> {
    const { page, origin } = this.app;
    this.#crashed = false;
    page.on('crash', () => {
      this.#crashed = true;
    });
    page.setDefaultTimeout(patience);
    await page.setExtraHTTPHeaders({ 'X-Page': this.name });
    await goTo(page, `${origin}/#/account`);
  }
}

/**
 * Opens the app, and reloads as a user would if that hangs or ends in an empty page: with any page and worker, Chromium
 * leaves a navigation or a script pending forever if the worker that should answer it is stopped from outside, or lets a
 * script fail.
 */
async function goTo(page: Page, address: string): Promise<void> {
  for (;;) {
    try {
      await page.goto('about:blank'); // navigating to the same URL again would load nothing
      await page.goto(address);
      if (!(await answered(page.evaluate(scriptsCame)))) continue;
      await page.locator('section[aria-labelledby=plan]').waitFor(); // a part that is loaded on demand
      return;
    } catch (error) {
      if (!(error instanceof errors.TimeoutError)) throw error;
    }
  }
}

/** Milliseconds after which Chromium is assumed to hang. */
const patience = 15_000;

/** Chromium's answer, or undefined: calls to a page can stay unanswered when its process ends while starting. */
function answered<T>(call: Promise<T>): Promise<T | undefined> {
  return Promise.race([call, elapse(patience).then(() => undefined)]);
}

/** Whether the scripts of a loaded page were answered. */
function scriptsCame(): boolean {
  const came = performance.getEntriesByType('resource') as PerformanceResourceTiming[];
  const scripts = [...document.scripts].map(({ src }) => src);
  return scripts.every((src) => came.some(({ name, responseStatus }) => name === src && responseStatus === 200));
}

/** A moment for a kill: a reconcile reaches a stage. */
interface Point {
  /** Whether the request is held there until released. */
  readonly holds: boolean;
  /** Resolves with the sender. */
  readonly reached: Promise<string>;
  release(): void;
}

/** The reconciles that pass through the gateway. */
class Traffic {
  /** How many answers of each status the server has given. */
  readonly answers = new Map<number, number>();
  readonly #gateway: Gateway;
  readonly #askers = new Map<string, number>();
  /** The awaited stage, and the requests held for it. */
  #await: (passage: Passage) => Promise<void> | undefined = () => undefined;
  /** Rejects when a tab can send no more requests: the awaited stage then never comes. */
  readonly #failed: Promise<never>;

  constructor(gateway: Gateway, asking: Promise<unknown>) {
    this.#gateway = gateway;
    this.#failed = asking.then(() => new Promise<never>(() => {}));
    this.#failed.catch(() => {}); // point reports it
    gateway.watch = (passage) => this.#pass(passage);
  }

  /** The nth time from now on that a reconcile of a tab, of the worker, or of any sender reaches that stage. */
  point(stage: Stage, asks: (typeof askers)[number] | null, nth: number): Point {
    let reach = (_asker: string) => {};
    let release = () => {};
    const reached = new Promise<string>((resolve) => {
      reach = resolve;
    });
    const released = new Promise<void>((resolve) => {
      release = resolve;
    });
    let left = nth;
    this.#await = (passage) => {
      const fits = asks === null || (asks === 'worker') === (passage.asker === 'worker');
      if (!fits || passage.stage !== stage || --left !== 0) return;
      reach(passage.asker);
      return released;
    };
    const holds = stage === 'asked' || stage === 'answered';
    return { holds, reached: Promise.race([reached, this.#failed]), release };
  }

  /** Resolves when that many more have been answered. */
  async further(times: number): Promise<void> {
    const point = this.point('passed on', null, times);
    point.release();
    await point.reached;
  }

  end(): void {
    this.#gateway.watch = null;
  }

  toString(): string {
    const list = (counts: Map<unknown, number>) => [...counts].map(([what, n]) => `${n} × ${what}`).join(', ');
    return `asked: ${list(this.#askers)}; answered: ${list(this.answers)}`;
  }

  #pass(passage: Passage): Promise<void> | undefined {
    const { stage, asker, status } = passage;
    if (stage === 'asked') this.#askers.set(asker, (this.#askers.get(asker) ?? 0) + 1);
    if (stage === 'answered' && status !== null) this.answers.set(status, (this.answers.get(status) ?? 0) + 1);
    return this.#await(passage);
  }
}

/** Milliseconds of the slowest of some runs. */
async function longest(times: number, run: () => Promise<unknown>): Promise<number> {
  let slowest = 0;
  for (let n = 0; n < times; n++) {
    const begun = performance.now();
    await run();
    slowest = Math.max(slowest, performance.now() - begun);
  }
  return slowest;
}

function elapse(milliseconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, milliseconds));
}
