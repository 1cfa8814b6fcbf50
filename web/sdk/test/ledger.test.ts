import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { decodeBase64url } from '../src/base/base64url.ts';
import { digest } from '../src/base/digest.ts';
import type { Holdfast } from '../src/index.ts';
import { type Action, encodeEntry, keepBoth, type Ledger, lastWriter, openLedger } from '../src/ledger.ts';
import { ledgerUploads, reconcileInBackground } from '../src/worker.ts';
import { type FakeWorker, stubBrowser } from './support/browser.ts';
import { Profile, reload, stubPasskeys } from './support/device.ts';
import { day, epoch, FakeServer, json, origin, problem } from './support/fake-server.ts';

let server: FakeServer;
let profile: Profile;
let hf: Holdfast;
let ledger: Ledger;

beforeEach(async () => {
  stubPasskeys();
  server = await FakeServer.create();
  profile = new Profile(server);
  hf = await profile.openPremium();
  ledger = await openLedger(hf);
});

afterEach(() => {
  profile.close();
  vi.restoreAllMocks();
  vi.unstubAllGlobals();
});

const save = (...[text, on = ledger]: [text?: unknown, on?: Ledger]) => on.record('notes', 'note.save', text);
const refusal = (work: Promise<unknown>) => work.then(() => null).catch(({ code }) => code);
const chain = (device = hf.device) =>
  (server.chains.get(String(device)) ?? []).map(({ bytes }) =>
    JSON.parse(new TextDecoder().decode(decodeBase64url(bytes) ?? undefined)),
  );
const acts = async (from = ledger) => {
  const list = [];
  for await (const act of from.acts()) list.push(act);
  return list;
};
const allJudged = (client = hf) => vi.waitFor(() => expect(client.ledger?.waiting).toBe(0), { timeout: 20_000 });
const reconciles = () => server.requests.filter((request) => request === 'POST /v1/reconcile').length;

/** Loses this many answers after the server has acted on the requests. */
function loseAnswers(count: number): void {
  let left = count;
  server.interfere = (request, pass) =>
    request.url.endsWith('/reconcile') && left-- > 0
      ? pass().then(() => Promise.reject(new TypeError('lost')))
      : undefined;
}

describe('the chain', () => {
  it('links each act to the one before, the first to the device', async () => {
    profile.pass(5_000);
    for (const text of ['Milk', { bread: [1, null] }, null]) await save(text);
    expect(await hf.reconcile()).toEqual({ outcome: 'reconciled' });
    const entries = chain();
    expect(entries).toMatchObject([
      { seq: 1, feature: 'notes', action: 'note.save', document: 'document', at: epoch + 5, payload: 'Milk' },
      { seq: 2, payload: { bread: [1, null] } },
      { seq: 3, payload: null },
    ]);
    expect(entries[0].prev).toBe(await digest(String(hf.device)));
    expect(entries[1].prev).toBe(await digest(encodeEntry(entries[0])));
    expect(entries[2].prev).toBe(await digest(encodeEntry(entries[1])));
  });

  it('encodes an entry as these bytes', () => {
    const entry = { seq: 1, prev: 'p', at: 2, feature: 'notes', document: 'd', action: 'a', payload: 'ü\u2028"' };
    expect(encodeEntry(entry)).toBe(
      '{"seq":1,"prev":"p","at":2,"feature":"notes","document":"d","action":"a","payload":"ü\u2028\\""}',
    );
  });

  it('has no gap and no number twice when tabs record at once', async () => {
    const tabs = [ledger];
    for (let count = 0; count < 2; count++) tabs.push(await openLedger(await profile.open()));
    const recorded = await Promise.all(
      tabs.flatMap((tab) => Array.from({ length: 10 }, (_, index) => save(index, tab))),
    );
    expect(recorded.map(({ seq }) => seq).sort((a, b) => a - b)).toEqual(Array.from({ length: 30 }, (_, i) => i + 1));
    await hf.reconcile();
    await allJudged();
    expect(chain().map(({ seq }) => seq)).toEqual(Array.from({ length: 30 }, (_, i) => i + 1));
  });

  it('goes on after a restart and after its acts were judged', async () => {
    await save('Milk');
    await hf.reconcile();
    profile.close();
    hf = await profile.open();
    ledger = await openLedger(hf);
    await save('Milk');
    await hf.reconcile();
    expect(chain()).toHaveLength(2);
    expect(hf.ledger).toMatchObject({ waiting: 0, problem: null });
  });

  it('goes on from the head of the server if its record was lost here', async () => {
    await save('Milk');
    await hf.reconcile();
    await profile.tamper({ ledger: undefined });
    await hf.reconcile();
    expect((await save('Milk')).seq).toBe(2);
    await hf.reconcile();
    expect(chain()).toHaveLength(2);
  });

  it('is in turn within a page, and a failure does not stop it', async () => {
    const results = await Promise.all([save(1), refusal(save(undefined)), save(2)]);
    expect(results).toMatchObject([{ seq: 1 }, 'payload_invalid', { seq: 2 }]);
  });
});

describe('an act is refused before it happens', () => {
  afterEach(async () => {
    expect(await acts()).toEqual([]);
  });

  it('without the feature in the document', async () => {
    expect(await refusal(ledger.record('sync', 'x', null))).toBe('not_granted');
    expect(await refusal(ledger.record('toString', 'x', null))).toBe('not_granted');
  });

  it('after the end of the document, by the trusted time', async () => {
    profile.pass(8 * day * 1000);
    expect(await refusal(save('Milk'))).toBe('expired');
  });

  it('while the clock is behind', async () => {
    profile.clock -= day * 1000;
    expect(await refusal(save('Milk'))).toBe('clock_behind');
  });

  it('when nobody is signed in', async () => {
    await hf.signOut();
    expect(await refusal(save('Milk'))).toBe('signed_out');
  });

  it('by another tab that signed out, although this one has not heard of it', async () => {
    await profile.tamper({ user: undefined, device: undefined, document: undefined });
    expect(await refusal(save('Milk'))).toBe('signed_out');
  });

  it('when the device is not linked, or newly linked without a document of its own', async () => {
    await profile.tamper({ former: (await profile.held()).device, device: undefined });
    await reload(hf);
    expect(await refusal(save('Milk'))).toBe('device_unknown');
  });

  it('on a locked page', async () => {
    Object.assign((hf as unknown as { state: { locked: boolean } }).state, { locked: true });
    expect(await refusal(save('Milk'))).toBe('locked');
  });

  it.each<[string, string, unknown]>([
    ['of a payload one byte over 16 KiB', 'payload_too_large', `${'ü'.repeat(8191)}x`],
    ['of a payload nested once too often', 'payload_too_deep', nest(32)],
    ['of a cycle', 'payload_invalid', cycle()],
    ['of a BigInt', 'payload_invalid', 1n],
    ['of a lone surrogate', 'payload_invalid', '\ud800'],
    ['of nothing', 'payload_invalid', undefined],
  ])('because %s', async (_, code, payload) => {
    expect(await refusal(save(payload))).toBe(code);
  });

  it.each(['', 'x'.repeat(65)])('because of the name "%s"', async (name) => {
    expect(await refusal(ledger.record('notes', name, 1))).toBe('invalid_request');
  });

  it('without room', async () => {
    const add = IDBObjectStore.prototype.add;
    vi.spyOn(IDBObjectStore.prototype, 'add').mockImplementation(function (this: IDBObjectStore, value, key) {
      if (this.name === 'ledger') throw new DOMException('full', 'QuotaExceededError');
      return add.call(this, value, key);
    });
    expect(await refusal(save('Milk'))).toBe('storage_full');
    vi.restoreAllMocks();
  });

  it('after close', async () => {
    hf.close();
    expect(await refusal(save('Milk'))).toBe('closed');
    hf = await profile.open();
    ledger = await openLedger(hf);
  });
});

it('takes payloads up to the bounds', async () => {
  await save('ü'.repeat(8191));
  await save(nest(31));
  await ledger.record('notes', '😀'.repeat(64), 1);
  await hf.reconcile();
  expect(chain()).toHaveLength(3);
});

describe('limits', () => {
  beforeEach(async () => {
    server.claims = { ...server.claims, features: { notes: { limit: 3 }, export: {} } };
    await hf.reconcile();
  });

  it('count what waits and what was accepted, not what was refused', async () => {
    server.judge = ({ seq }) => (seq === 2 ? { verdict: 'rejected', code: 'revoked' } : { verdict: 'accepted' });
    for (const text of ['a', 'b', 'c']) await save(text);
    expect(await refusal(save('Milk'))).toBe('over_limit');
    await hf.reconcile();
    await save('d');
    expect(await refusal(save('Milk'))).toBe('over_limit');
    await ledger.record('export', 'x', null);
  });

  it('hold for all tabs at once', async () => {
    const other = await openLedger(await profile.open());
    const results = await Promise.all([ledger, other, ledger, other, ledger].map((tab) => refusal(save(1, tab))));
    expect(results.filter((code) => code === 'over_limit')).toHaveLength(2);
  });

  it('count the acts of other devices, as far as the feed was read, once', async () => {
    for (const seq of [1, 2]) {
      server.accept({ device: 'other', seq, at: epoch, feature: 'notes', action: 'note.save', payload: seq });
    }
    const other = await openLedger(await profile.open());
    await Promise.all([take(2), take(2, other)]);
    await save('Milk');
    expect(await refusal(save('Milk'))).toBe('over_limit');
  });

  it('do not count own acts a second time from the feed', async () => {
    await save('Milk');
    await hf.reconcile();
    await take(1);
    await save('Milk');
    await save('Milk');
    expect(await refusal(save('Milk'))).toBe('over_limit');
  });
});

describe("the app's own write", () => {
  it('is stored together with the act', async () => {
    await ledger.record('notes', 'note.save', 'Milk', { write: (store) => store.put('Milk', 'note-1') });
    expect(await ledger.app((store) => store.get('note-1'))).toBe('Milk');
  });

  it('may read first', async () => {
    await ledger.app((store) => store.put(1, 'count'));
    const add = (store: { get(key: string): Promise<unknown>; put(value: unknown, key: string): unknown }) =>
      store.get('count').then((count) => store.put(Number(count) + 1, 'count'));
    await ledger.record('notes', 'count', 1, { write: add });
    expect(await ledger.app((store) => store.get('count'))).toBe(2);
  });

  it.each<[string, () => unknown]>([
    ['throws', () => Promise.reject(new Error('mine'))],
    ['stores what cannot be cloned', () => () => {}],
  ])('undoes the act if it %s', async (_, value) => {
    const write = async (store: { put(value: unknown, key: string): unknown }) => {
      store.put('first', 'note-1');
      store.put(await value(), 'note-2');
    };
    const failure = await ledger.record('notes', 'note.save', 1, { write }).catch((error) => error);
    expect(failure).toMatchObject({ code: 'write_failed', cause: expect.any(Error) });
    expect(await acts()).toEqual([]);
    expect(await ledger.app((store) => store.get('note-1'))).toBeUndefined();
    expect(hf.storage).toBe('well');
    expect((await save('Milk')).seq).toBe(1);
  });

  it('is undone if the act cannot be stored', async () => {
    vi.spyOn(IDBObjectStore.prototype, 'add').mockImplementation(() => {
      throw new DOMException('full', 'QuotaExceededError');
    });
    const write = (store: { put(value: unknown, key: string): unknown }) => store.put('x', 'note-1');
    expect(await refusal(ledger.record('notes', 'note.save', 1, { write }))).toBe('storage_full');
    vi.restoreAllMocks();
    expect(await ledger.app((store) => store.get('note-1'))).toBeUndefined();
  });
});

describe('the status', () => {
  it('says how much waits, since when, and how much was refused, and reports changes in all tabs', async () => {
    const tab = await profile.open();
    await openLedger(tab);
    const told = vi.fn();
    hf.subscribe(told);
    expect(hf.ledger).toEqual({ waiting: 0, oldest: null, refused: 0, problem: null });
    await save('Milk');
    profile.pass(60_000);
    await save('Milk');
    expect(hf.ledger).toEqual({ waiting: 2, oldest: new Date(epoch * 1000), refused: 0, problem: null });
    expect(hf.snapshot().ledger).toBe(hf.ledger);
    expect(told).toHaveBeenCalled();
    await vi.waitFor(() => expect(tab.ledger).toEqual(hf.ledger));
    server.judge = () => ({ verdict: 'rejected', code: 'revoked' });
    await hf.reconcile();
    await vi.waitFor(() => expect(hf.ledger).toEqual({ waiting: 0, oldest: null, refused: 2, problem: null }));
    await vi.waitFor(() => expect(tab.ledger).toEqual(hf.ledger));
  });

  it('is null in a page that has not opened the ledger', async () => {
    expect((await profile.open()).ledger).toBeNull();
  });

  it('is empty after a sign-out, and shows the same user later what was never sent', async () => {
    await save('Milk');
    await hf.signOut();
    await vi.waitFor(() => expect(hf.ledger).toMatchObject({ waiting: 0, refused: 0 }));
    await hf.signIn();
    await vi.waitFor(() => expect(hf.ledger).toMatchObject({ waiting: 0, refused: 1 }));
    expect(await acts()).toMatchObject([{ seq: 1, code: 'device_replaced', payload: 'Milk' }]);
    await save('Milk');
    await hf.reconcile();
    expect(chain()).toMatchObject([{ seq: 1 }]);
  });

  it('begins a new chain after a new linking, and keeps what is known of the user', async () => {
    await save('Milk');
    await hf.reconcile();
    await save('Bread');
    await hf.link();
    expect(await acts()).toMatchObject([{ seq: 2, code: 'device_replaced', payload: 'Bread' }]);
    expect((await save('Salt')).seq).toBe(1);
    await hf.reconcile();
    expect(chain()).toMatchObject([{ seq: 1, payload: 'Salt' }]);
    expect((await profile.held()).ledger).toMatchObject({ accepted: { notes: 2 }, devices: { length: 2 } });
  });

  it("does not show another user's acts", async () => {
    await save('Milk');
    await hf.signOut();
    server.user = { id: '5f6d2a4e-0000-4000-8000-000000000002', name: 'Bob' };
    await hf.signIn();
    expect(hf.ledger).toMatchObject({ waiting: 0, refused: 0 });
    expect(await acts()).toEqual([]);
  });
});

describe('uploading', () => {
  it('sends batches of at most 100, each following at once, and compacts what was accepted', async () => {
    for (let index = 0; index < 230; index++) await save(index);
    await hf.reconcile();
    await allJudged();
    expect(server.batches).toEqual([100, 100, 30]);
    expect(chain().map(({ payload }) => payload)).toEqual(Array.from({ length: 230 }, (_, index) => index));
    expect(await acts()).toEqual([]);
    expect(server.actions).toHaveLength(230);
  });

  it('bounds a batch by its size too', async () => {
    for (let index = 0; index < 40; index++) await save('x'.repeat(16_000));
    await hf.reconcile();
    await allJudged();
    expect(Math.max(...server.batches)).toBeLessThanOrEqual(16);
    expect(chain()).toHaveLength(40);
  });

  it('repeats a batch whose answer was lost, and takes each verdict once', async () => {
    for (let index = 0; index < 3; index++) await save(index);
    loseAnswers(1);
    expect((await hf.reconcile()).outcome).toBe('no_contact');
    expect(hf.ledger?.waiting).toBe(3);
    await save(3);
    expect(await hf.reconcile()).toEqual({ outcome: 'reconciled' });
    await allJudged();
    expect(chain()).toHaveLength(4);
    expect(server.actions).toHaveLength(4);
    expect((await profile.held()).ledger?.accepted).toEqual({ notes: 4 });
  });

  it('ignores a late answer: the verdicts are stored with the lineage, or not at all', async () => {
    await save('Milk');
    let release = () => {};
    const held = new Promise<void>((resolve) => {
      release = resolve;
    });
    let first = true;
    server.interfere = (request, pass) => {
      if (!request.url.endsWith('/reconcile') || !first) return undefined;
      first = false;
      return pass().then(async (answer) => {
        await held;
        return answer;
      });
    };
    const late = hf.reconcile();
    await vi.waitFor(() => expect(first).toBe(false));
    const tab = await profile.open();
    await openLedger(tab);
    expect(await tab.reconcile()).toEqual({ outcome: 'reconciled' });
    await allJudged(tab);
    release();
    expect(await late).toEqual({ outcome: 'superseded' });
    expect((await profile.held()).ledger).toMatchObject({ accepted: { notes: 1 }, waiting: { notes: 0 } });
  });

  it('keeps refused acts, readable and exportable, until the user drops them', async () => {
    server.judge = ({ seq }) =>
      seq === 1
        ? { verdict: 'rejected', code: 'expired' }
        : seq === 2
          ? { verdict: 'superseded' }
          : { verdict: 'accepted' };
    for (const text of ['a', 'b', 'c']) await save(text);
    await hf.reconcile();
    await allJudged();
    const kept = await acts();
    expect(kept).toMatchObject([
      { seq: 1, payload: 'a', code: 'expired', device: hf.device },
      { seq: 2, payload: 'b', code: 'superseded' },
    ]);
    const lines = (await (await ledger.exportRefused()).text())
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line));
    expect(lines.map(({ code }) => code)).toEqual(['expired', 'superseded']);
    expect(JSON.parse(lines[0].entry)).toEqual(chain()[0]);
    await ledger.drop({ device: String(hf.device), seq: 1 });
    expect(await acts()).toMatchObject([{ seq: 2 }]);
    expect(hf.ledger?.refused).toBe(1);
  });

  it('does not drop an act that waits', async () => {
    const act = await save('Milk');
    await ledger.drop(act);
    expect(await acts()).toHaveLength(1);
  });

  it.each([
    ['ledger_invalid', { ledger: { seq: 1, code: 'chain' } }, { code: 'chain', seq: 1 }],
    ['invalid_request', {}, { code: 'invalid_request', seq: null }],
  ])('%s: the document is refreshed all the same, and the app hears of it', async (code, members, expected) => {
    await save('Milk');
    const bodies: string[] = [];
    server.interfere = (request, pass) =>
      request.url.endsWith('/reconcile')
        ? request
            .clone()
            .json()
            .then((body) => {
              bodies.push('ledger' in body ? 'with' : 'without');
              return 'ledger' in body ? problem(400, code, {}, members) : pass();
            })
        : undefined;
    server.revision = 2;
    expect(await hf.reconcile()).toEqual({ outcome: 'reconciled' });
    expect(hf.entitlement.revision).toBe(2);
    await vi.waitFor(() => expect(hf.ledger?.problem).toEqual(expected));
    expect(hf.ledger?.waiting).toBe(1);
    await hf.reconcile();
    expect(bodies).toEqual(['with', 'without', 'without']);

    server.interfere = () => undefined;
    profile.pass(3_600_000);
    await hf.reconcile();
    await allJudged();
    expect(hf.ledger?.problem).toBeNull();
  });

  it('tells of acts that were not taken after a good prefix', async () => {
    server.judge = ({ seq }) => (seq === 2 ? { refused: 'too_large' } : { verdict: 'accepted' });
    for (const text of ['a', 'b', 'c']) await save(text);
    expect(await hf.reconcile()).toEqual({ outcome: 'reconciled' });
    await vi.waitFor(() => expect(hf.ledger).toMatchObject({ waiting: 2, problem: { code: 'too_large', seq: 2 } }));
  });

  it('does not loop if an answer has no verdicts', async () => {
    await save('Milk');
    server.interfere = (request, pass) =>
      request.url.endsWith('/reconcile')
        ? pass().then(async (answer) => json(200, { ...(await answer.json()), verdicts: 'rubbish' }))
        : undefined;
    await hf.reconcile();
    await vi.waitFor(() => expect(hf.ledger).toMatchObject({ waiting: 1, problem: { code: 'no_verdict' } }));
    expect(reconciles()).toBe(2);
  });

  it('shrinks a batch that gets no answer, until the document is refreshed without it', async () => {
    for (let index = 0; index < 8; index++) await save(index);
    const sizes: string[] = [];
    server.interfere = (request, pass) =>
      request.url.endsWith('/reconcile')
        ? request
            .clone()
            .json()
            .then((body) => {
              sizes.push('ledger' in body ? 'with' : 'without');
              return 'ledger' in body ? Promise.reject(new TypeError('too slow')) : pass();
            })
        : undefined;
    let outcome = '';
    for (let tries = 0; tries < 10 && outcome !== 'reconciled'; tries++) ({ outcome } = await hf.reconcile());
    expect(outcome).toBe('reconciled');
    expect(sizes.at(-1)).toBe('without');
    expect(hf.ledger?.waiting).toBe(8);
  });

  it('takes the verdicts of a quarantined device', async () => {
    await save('Milk');
    server.forked = true;
    server.revision++;
    server.interfere = (request, pass) =>
      request.url.endsWith('/reconcile')
        ? pass().then(async (answer) => {
            const verdicts = [{ seq: 1, verdict: 'rejected', code: 'quarantined' }];
            return json(409, { ...(await answer.json()), verdicts }, { 'Content-Type': 'application/problem+json' });
          })
        : undefined;
    expect(await hf.reconcile()).toEqual({ outcome: 'forked' });
    await vi.waitFor(() => expect(hf.ledger).toMatchObject({ waiting: 0, refused: 1 }));
    expect(await acts()).toMatchObject([{ code: 'quarantined' }]);
  });

  it.each([
    ['damaged', { ledger: 'rubbish' }],
    ['half damaged', { ledger: { user: 'x', seq: 1, cursor: 0, waiting: null } }],
  ])('a %s record does not keep the document from being refreshed', async (_, damage) => {
    await save('Milk');
    await profile.tamper(damage as never);
    expect(await hf.reconcile()).toEqual({ outcome: 'reconciled' });
  });

  it('is begun soon by a page that reconciles automatically', async () => {
    vi.spyOn(Math, 'random').mockReturnValue(0);
    const tab = await profile.open({ autoReconcile: true });
    await save(1, await openLedger(tab));
    await allJudged(tab);
    expect(chain()).toHaveLength(1);
  });

  it('leaves no act of a deleted account', async () => {
    await save('Milk');
    const { Account } = await import('../src/session/account.ts');
    const { state } = hf as unknown as { state: ConstructorParameters<typeof Account>[0] };
    await new Account(state, null as never).forget(server.user);
    await hf.signIn();
    expect(await acts()).toEqual([]);
  });
});

describe('crashes between record and upload', () => {
  it('lose and double nothing, wherever the page dies', async () => {
    let recorded = 0;
    for (let death = 0; death < 6; death++) {
      for (let index = 0; index < 30; index++) await save(recorded++);
      // Answers are lost while the page dies during the upload.
      loseAnswers(death % 3);
      const running = hf.reconcile();
      if (death % 2) profile.close();
      await running.catch(() => {});
      profile.close();
      server.interfere = () => undefined;
      hf = await profile.open();
      ledger = await openLedger(hf);
    }
    await hf.reconcile();
    await allJudged();
    expect(chain().map(({ payload }) => payload)).toEqual(Array.from({ length: recorded }, (_, index) => index));
    expect(server.actions).toHaveLength(recorded);
    expect((await profile.held()).ledger?.accepted).toEqual({ notes: recorded });
  });
});

/** Takes this many actions of the feed. */
async function take(count: number, from = ledger): Promise<Action[]> {
  const taken: Action[] = [];
  const controller = new AbortController();
  for await (const action of from.actions({ signal: controller.signal })) {
    taken.push(action);
    // The next one is asked for, which takes this one; the iteration then ends instead of waiting.
    if (taken.length === count) controller.abort();
  }
  return taken;
}

describe('the feed', () => {
  const other = (seq: number) =>
    server.accept({ device: 'other', seq, at: epoch, feature: 'notes', action: 'note.save', payload: `other ${seq}` });

  it('has the acts of all devices in order of the server, from where the app had stopped', async () => {
    await save('mine');
    await hf.reconcile();
    other(1);
    expect(await take(2)).toMatchObject([
      { position: 1, own: true, payload: 'mine', device: hf.device, seq: 1, at: new Date(epoch * 1000) },
      { position: 2, own: false, payload: 'other 1', verdict: 'accepted', receivedAt: new Date(epoch * 1000) },
    ]);
    other(2);
    profile.close();
    hf = await profile.open();
    ledger = await openLedger(hf);
    expect(await take(1)).toMatchObject([{ position: 3 }]);
  });

  it('repeats an action that the app had not finished with', async () => {
    other(1);
    other(2);
    for await (const { position } of ledger.actions()) if (position === 2) break;
    expect(await take(1)).toMatchObject([{ position: 2 }]);
  });

  it('reads more than one page', async () => {
    for (let seq = 1; seq <= 250; seq++) other(seq);
    expect((await take(250)).map(({ position }) => position)).toEqual(Array.from({ length: 250 }, (_, i) => i + 1));
  });

  it('waits for news, of its own acts too', async () => {
    const taking = take(1);
    await vi.waitFor(() => expect(server.requests).toContain('GET /v1/actions'));
    await save('Milk');
    await hf.reconcile();
    expect(await taking).toMatchObject([{ payload: 'Milk' }]);
  });

  it('waits while there is no contact, and rejects when nobody is signed in', async () => {
    other(1);
    server.interfere = async () => Promise.reject(new TypeError('offline'));
    const taking = take(1);
    await vi.waitFor(() => expect(hf.reached).toBe(false));
    server.interfere = () => undefined;
    await hf.reconcile();
    expect(await taking).toHaveLength(1);
    await hf.signOut();
    expect(await refusal(take(1))).toBe('signed_out');
  });

  it('lets an act in that support accepts later', async () => {
    server.judge = () => ({ verdict: 'rejected', code: 'too_old' });
    await save('Milk');
    await hf.reconcile();
    await allJudged();
    const [{ device, seq, at, ...rest } = {} as never] = await acts();
    server.accept({ device, seq, at: Number(at) / 1000, ...(rest as object) });
    await take(1);
    expect(await acts()).toEqual([]);
    expect((await profile.held()).ledger?.accepted).toEqual({ notes: 1 });
  });
});

describe('in a browser', () => {
  let worker: FakeWorker;
  beforeEach(() => {
    ({ worker } = stubBrowser());
    vi.spyOn(Math, 'random').mockReturnValue(0);
  });

  it('background sync uploads everything, and the tabs hear of it', async () => {
    reconcileInBackground({
      ledger: ledgerUploads,
      origin,
      roots: server.roots,
      database: profile.database,
      clock: () => profile.clock,
      fetch: server.fetch,
    });
    for (let index = 0; index < 150; index++) await save(index);
    await worker.wake('sync');
    expect(server.batches).toEqual([100, 50]);
    await allJudged();
  });

  it('background sync uploads what waits although a page has made up for its run', async () => {
    reconcileInBackground({
      ledger: ledgerUploads,
      origin,
      roots: server.roots,
      database: profile.database,
      clock: () => profile.clock,
      fetch: server.fetch,
    });
    await save('Milk');
    await profile.tamper({ owed: 'former' });
    await worker.wake('sync');
    expect(chain()).toHaveLength(1);
  });
});

describe('the helpers for conflicts', () => {
  it('the last writer is the highest position; what waits here comes last', () => {
    expect(lastWriter([{ position: 2 }, { position: 9 }, { position: 3 }])).toEqual({ position: 9 });
    expect(lastWriter([{ mine: true }, { position: 9 }])).toEqual({ mine: true });
  });

  it('both versions are kept if both sides changed', () => {
    expect(keepBoth({ base: 'a', mine: 'a', theirs: 'b' })).toEqual(['b']);
    expect(keepBoth({ base: 'a', mine: 'b', theirs: 'a' })).toEqual(['b']);
    expect(keepBoth({ base: { x: 1 }, mine: { x: 2, y: 1 }, theirs: { y: 1, x: 2 } })).toEqual([{ y: 1, x: 2 }]);
    expect(keepBoth({ base: 'a', mine: 'b', theirs: 'c' })).toEqual(['c', 'b']);
  });
});

/** An array in an array, this many in all. */
function nest(depth: number): unknown {
  let value: unknown = 1;
  for (let level = 0; level < depth; level++) value = [value];
  return value;
}

function cycle(): unknown {
  const value: unknown[] = [];
  value.push(value);
  return value;
}
