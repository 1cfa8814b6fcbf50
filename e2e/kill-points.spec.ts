import { Fieldbook } from './support/fieldbook.ts';
import { expect, test } from './support/test.ts';

/**
 * The points of a reconcile at which the tab is killed. The gateway stops at the two that only the network sees, the page at
 * the rest.
 */
const points = [
  'storage is read',
  'a nonce is asked for',
  'the nonce has come',
  'the request is signed',
  'the request is on its way',
  'the server has answered',
  'the answer has begun to come',
  'the answer has come',
  'the answer is being stored',
  'the answer is stored',
] as const;

test(`killing a tab at ${points.length} points of a reconcile causes no fork`, async ({ page, context, gateway }) => {
  const { server } = gateway;
  const ada = new Fieldbook(page, server.origin);
  await ada.open();
  await ada.createAccount('Ada');
  await ada.write('Kept', 'Still here');
  await ada.startTrial();
  await ada.installed();
  const { id: device } = await ada.held<{ id: string }>('device');
  await page.close();

  for (const point of points) {
    await test.step(point, async () => {
      const tab = await context.newPage();
      const cdp = await context.newCDPSession(tab);
      await cdp.send('Debugger.enable');
      const paused = new Promise<void>((resolve) => cdp.once('Debugger.paused', () => resolve()));
      let release = () => {};
      const held = new Promise<void>((reach) => {
        const released = new Promise<void>((resolve) => {
          release = resolve;
        });
        gateway.watch = ({ stage }) => {
          const stop =
            stage === 'asked' ? 'the request is on its way' : stage === 'answered' && 'the server has answered';
          if (stop !== point) return;
          reach();
          return released;
        };
      });
      await tab.addInitScript(stopAt, point);
      tab.goto(`${server.origin}/#/account`).catch(() => {}); // it may never load
      await Promise.race([paused, held]);

      const crashed = tab.waitForEvent('crash');
      cdp.send('Page.crash').catch(() => {}); // the page is gone and cannot answer
      await crashed;
      gateway.watch = null;
      release();
      await tab.close();

      const next = new Fieldbook(await context.newPage(), server.origin);
      await next.page.goto(`${server.origin}/#/account`);
      await next.expectPremium();
      const before = await next.held<string>('lineage');
      expect(await next.checkNow()).toBe('Up to date.');
      expect(await next.held<string>('lineage')).not.toBe(before);
      await next.page.close();
    });
  }
  expect((await server.user('Ada')).devices).toMatchObject([{ id: device, quarantined: false }]);
  expect(await server.trail('Ada')).not.toContain('device.forked');
});

/** Runs in the page: stops it permanently at a point, where the debugger waits for it. */
function stopAt(point: string): void {
  const pass = (name: string) => {
    // biome-ignore lint/suspicious/noDebugger: this stops a page in the middle of its work
    if (name === point) debugger;
  };
  const { getAll, put } = IDBObjectStore.prototype;
  IDBObjectStore.prototype.getAll = function (...args) {
    pass('storage is read');
    return getAll.apply(this, args);
  };
  IDBObjectStore.prototype.put = function (value, key) {
    const request = put.call(this, value, key);
    if (key === 'lineage') {
      request.addEventListener('success', () => pass('the answer is being stored'));
      this.transaction.addEventListener('complete', () => pass('the answer is stored'));
    }
    return request;
  };
  const { fetch } = window;
  window.fetch = async (input, init) => {
    const path = new URL(String(input), location.href).pathname;
    if (path === '/v1/nonce') pass('a nonce is asked for');
    if (path === '/v1/reconcile') pass('the request is signed');
    const answer = await fetch(input, init);
    if (path === '/v1/nonce') pass('the nonce has come');
    if (path !== '/v1/reconcile') return answer;
    pass('the answer has begun to come');
    const text = await answer.text();
    pass('the answer has come');
    return new Response(text, answer);
  };
}
