import { afterEach, beforeEach, expect, test, vi } from 'vitest';

interface Policy {
  createScriptURL(url: string): string;
}

class Worker extends EventTarget {
  readonly postMessage = vi.fn();
}

/** The browser's side: one registration, and the page's controller. */
class Browser extends EventTarget {
  controller: Worker | null = null;
  readonly registration = Object.assign(new EventTarget(), {
    waiting: null as Worker | null,
    installing: null as Worker | null,
    update: vi.fn(async () => {}),
  });
  readonly register = vi.fn(async (_script: string, _options: RegistrationOptions) => this.registration);

  takeOver(worker: Worker): void {
    this.controller = worker;
    this.registration.waiting = null;
    this.dispatchEvent(new Event('controllerchange'));
  }
}

let browser: Browser;
let policies: Map<string, Policy>;
let update: typeof import('./update.ts');
const reload = vi.fn();

beforeEach(async () => {
  browser = new Browser();
  policies = new Map();
  const trustedTypes = {
    createPolicy(name: string, policy: Policy) {
      policies.set(name, policy);
      return policy;
    },
  };
  vi.stubGlobal('window', { trustedTypes });
  vi.stubGlobal('navigator', { serviceWorker: browser });
  vi.stubGlobal('document', new EventTarget());
  vi.stubGlobal('location', { reload });
  reload.mockClear();
  vi.resetModules();
  update = await import('./update.ts');
});

afterEach(() => vi.unstubAllGlobals());

test('registers the worker bypassing the HTTP cache', async () => {
  await update.watchForUpdates();
  expect(browser.register).toHaveBeenCalledExactlyOnceWith('/sw.js', { updateViaCache: 'none' });
});

test('the only Trusted Types policy allows only the worker', async () => {
  await update.watchForUpdates();
  expect([...policies.keys()]).toEqual(['holdfast']);
  const policy = policies.get('holdfast') as Policy;
  expect(Object.keys(policy)).toEqual(['createScriptURL']);
  expect(policy.createScriptURL('/sw.js')).toBe('/sw.js');
  for (const url of ['/other.js', '//evil.test/sw.js', 'https://evil.test/sw.js', '/sw.js?x', '/sw.js#', 'sw.js', '']) {
    expect(() => policy.createScriptURL(url), url).toThrow(TypeError);
  }
});

test('the first worker is not an update', async () => {
  await update.watchForUpdates();
  browser.takeOver(new Worker());
  expect(update.newVersion.value).toBeNull();
  expect(reload).not.toHaveBeenCalled();
});

test('a waiting version takes over when the user agrees, and then the page reloads', async () => {
  const before = new Worker();
  browser.controller = before;
  const waiting = new Worker();
  browser.registration.waiting = waiting;
  await update.watchForUpdates();
  expect(update.newVersion.value).toBe('waiting');
  update.reloadIntoUpdate();
  expect(before.postMessage).toHaveBeenCalledWith('give way');
  expect(waiting.postMessage).toHaveBeenCalledWith('activate');
  expect(reload).not.toHaveBeenCalled();
  browser.takeOver(waiting);
  expect(reload).toHaveBeenCalledOnce();
});

test('a page outdated by another tab offers to reload', async () => {
  browser.controller = new Worker();
  const waiting = new Worker();
  browser.registration.waiting = waiting;
  await update.watchForUpdates();
  browser.takeOver(waiting);
  expect(update.newVersion.value).toBe('in charge');
  expect(reload).not.toHaveBeenCalled();
  update.reloadIntoUpdate();
  expect(waiting.postMessage).not.toHaveBeenCalled();
  expect(reload).toHaveBeenCalledOnce();
});

test('a page whose first worker came while it was open offers to reload too', async () => {
  await update.watchForUpdates();
  browser.takeOver(new Worker());
  browser.takeOver(new Worker());
  expect(update.newVersion.value).toBe('in charge');
});
