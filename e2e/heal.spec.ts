import type { Page } from '@playwright/test';
import { Fieldbook } from './support/fieldbook.ts';
import type { Gateway } from './support/gateway.ts';
import { happen, type Mishap } from './support/storage.ts';
import { test as base, expect, watch } from './support/test.ts';

/** Ada with premium and a note in an installed app, behind a gateway that can be down. */
const test = base.extend<{ ada: Fieldbook }>({
  ada: async ({ page, gateway }, use) => {
    const troubles = await watch(page.context(), page);
    const ada = new Fieldbook(page, gateway.server.origin);
    await ada.open();
    await ada.createAccount('Ada');
    await ada.write('Kept', 'Still here');
    await ada.startTrial();
    await ada.installed();
    const loads = new Loads(page);
    await use(ada);
    loads.expectNoneByItself();
    // Refusals that are part of the recovery are expected.
    const unexpected = troubles().filter((trouble) => !/status of 4\d\d .*\/v1\/(reconcile|devices)$/.test(trouble));
    expect(unexpected).toEqual([]);
    // A stream of attempts would be a loop too; a request without a nonce is sent twice.
    const reconciles = gateway.requests.filter((request) => request === 'POST /v1/reconcile').length;
    expect(reconciles).toBeLessThan(4 * (loads.wanted + 5));
  },
});

/** Counts the loads of a page: those requested by the test, and all. */
class Loads {
  wanted = 0;
  #seen = 0;

  constructor(page: Page) {
    page.on('domcontentloaded', () => this.#seen++);
    const reload = page.reload.bind(page);
    page.reload = (options) => {
      this.wanted++;
      return reload(options);
    };
  }

  expectNoneByItself(): void {
    expect(this.#seen).toBe(this.wanted);
  }
}

/** The words a user sees without network after damage, and the act that restores everything. */
interface Course {
  offline: 'premium' | 'without' | 'unlinked' | 'nobody';
  by: 'contact' | 'tap';
}

/** The SDK's records for a user with premium. */
const records: Record<string, Course> = {
  user: { offline: 'nobody', by: 'tap' },
  device: { offline: 'unlinked', by: 'tap' },
  lineage: { offline: 'premium', by: 'tap' },
  document: { offline: 'without', by: 'contact' },
  passkeys: { offline: 'premium', by: 'contact' },
  keyset: { offline: 'without', by: 'contact' },
  marks: { offline: 'premium', by: 'contact' },
  time: { offline: 'premium', by: 'contact' },
};

/** The state of premium: with no note left, there is nothing to export. */
async function expectPremiumSaid({ headline }: Fieldbook): Promise<void> {
  await expect(headline).toHaveText('Premium is on');
}

/** The button that prompts for a passkey, wherever it is. */
function passkeyButton({ page }: Fieldbook) {
  return page.getByRole('button', { name: /with (a|my) passkey$/ }).first();
}

async function expectOffline(ada: Fieldbook, { offline }: Course): Promise<void> {
  if (offline === 'nobody') {
    await expect(passkeyButton(ada)).toBeVisible();
    return;
  }
  await ada.toAccount();
  if (offline === 'premium') await ada.expectPremium();
  else
    await ada.expectWithoutPremium(offline === 'without' ? /^Connect to/ : 'This device is not linked to your account');
  await expect(ada.line).not.toBeEmpty();
  expect(await ada.read('Kept')).toBe('Still here');
  await ada.toAccount();
}

/** One tap restores the previous state, with one device. */
async function bringBack(ada: Fieldbook, { server }: Gateway): Promise<void> {
  await passkeyButton(ada).click();
  await expectAll(ada);
  expect((await server.user('Ada')).devices).toHaveLength(1);
}

async function expectAll(ada: Fieldbook): Promise<void> {
  await ada.toAccount();
  await ada.expectPremium();
  expect(await ada.checkNow()).toBe('Up to date.');
  await expect(ada.line).toBeEmpty();
  expect(await ada.read('Kept')).toBe('Still here');
}

const damages: Record<string, (key: string) => Mishap> = {
  'is gone': (key) => ({ what: 'record gone', store: 'state', key }),
  'is nonsense': (key) => ({ what: 'record', store: 'state', key, value: 'nonsense' }),
  'is of another kind': (key) => ({ what: 'record', store: 'state', key, value: { odd: [true] } }),
};

// At full size, every record in every way, and every loss. The SDK's own tests cover them all.
const full = process.env.HOLDFAST_DRILLS === 'full';
const some = <T>(all: Record<string, T>): [string, T][] => Object.entries(all).slice(0, full ? undefined : 1);

for (const [nth, [how, mishap]] of Object.entries(damages).entries()) {
  const chosen = Object.entries(records).filter((_, n) => full || n % 3 === nth);
  test(`records of the SDK, one at a time, ${how}`, async ({ ada, page, gateway }) => {
    for (const [key, course] of chosen) {
      await test.step(key, async () => {
        gateway.down = true;
        await happen(page, 'holdfast', mishap(key));
        const damaged = await ada.held(key);
        await page.reload();
        await expectOffline(ada, course);

        gateway.down = false;
        await page.reload();
        if (course.by === 'tap') await bringBack(ada, gateway);
        else await expectAll(ada);
        expect(await ada.held(key)).toBeDefined();
        expect(await ada.held(key)).not.toEqual(damaged);
        expect((await gateway.server.user('Ada')).devices).toHaveLength(1);
      });
    }
  });
}

const losses: Record<string, Mishap> = {
  'is deleted': { what: 'deleted' },
  'is emptied': { what: 'emptied', store: 'state' },
  'has lost its object store': { what: 'hollow' },
};

for (const [how, mishap] of some(losses)) {
  test(`the SDK's database ${how}: it says so, and one tap restores everything, replacing the old device`, async ({
    ada,
    page,
    gateway,
  }) => {
    const { id: lost } = await ada.held<{ id: string }>('device');
    gateway.down = true;
    await happen(page, 'holdfast', mishap);
    await page.reload();
    await expect(page.getByRole('alert').filter({ hasText: 'lost what Fieldbook kept here' })).toBeVisible();
    await page.reload();
    await expect(page.getByRole('alert').filter({ hasText: 'lost what Fieldbook kept here' })).toBeVisible();
    gateway.down = false;
    await bringBack(ada, gateway);
    expect((await ada.held<{ id: string }>('device')).id).not.toBe(lost);
    await page.reload();
    await expectAll(ada);
  });
}

test("the SDK's database of a later release works, and says so", async ({ ada, page, gateway }) => {
  await happen(page, 'holdfast', { what: 'newer' });
  gateway.down = true;
  await page.reload();
  await ada.expectPremium();
  await expect(page.getByText('There is a newer version of Fieldbook here. Reload to get it.')).toBeVisible();
  expect(await ada.read('Kept')).toBe('Still here');
  await ada.toAccount();
  gateway.down = false;
  expect(await ada.checkNow()).toBe('Up to date.');
  await ada.expectPremium();
});

test.describe('the notes', () => {
  for (const [how, mishap] of some<Mishap>({
    deleted: { what: 'deleted' },
    emptied: { what: 'emptied', store: 'notes' },
    hollow: { what: 'hollow' },
  })) {
    test(`${how}: the loss is reported, premium is unaffected, and new notes can be written`, async ({
      ada,
      page,
      gateway,
    }) => {
      gateway.down = true;
      await happen(page, 'fieldbook', mishap);
      await page.reload();
      await expectPremiumSaid(ada);
      await ada.toNotes();
      await expect(page.getByText('No notes yet.')).toBeVisible();
      await ada.write('Begun again', 'After the loss');
      await page.reload();
      expect(await ada.read('Begun again')).toBe('After the loss');
    });
  }

  test('in a database of a later release are read and written', async ({ ada, page }) => {
    await happen(page, 'fieldbook', { what: 'newer' });
    await page.reload();
    expect(await ada.read('Kept')).toBe('Still here');
    await ada.write('Another', 'Written by the release before');
    await page.reload();
    expect(await ada.read('Another')).toBe('Written by the release before');
  });

  test('are all there among damaged ones', async ({ ada, page }) => {
    const { id: user } = await ada.held<{ id: string }>('user');
    for (const [index, value] of [
      { id: 'a', user },
      { id: 'b', user, title: 42, text: null, createdAt: 'x', changedAt: {} },
      { id: 'c', user, title: 'Half', changedAt: Number.NaN },
    ].entries()) {
      await test.step(`damaged note ${index}`, async () => {
        await happen(page, 'fieldbook', { what: 'record', store: 'notes', value });
        await page.reload();
        expect(await ada.read('Kept')).toBe('Still here');
        await ada.toAccount();
        await ada.expectPremium();
        expect((await ada.download()).text).toContain('Still here');
      });
    }
    await page.getByRole('searchbox', { name: 'Search notes' }).fill('still');
    await expect(ada.notes).toHaveCount(1);
  });
});

/** Deletes the data that a browser evicts when space runs out, and that users clear to fix problems. */
async function evict(ada: Fieldbook, ...storageTypes: string[]): Promise<void> {
  const cdp = await ada.page.context().newCDPSession(ada.page);
  await cdp.send('Storage.clearDataForOrigin', { origin: ada.origin, storageTypes: storageTypes.join() });
}

const kept = ['indexeddb', 'cache_storage', 'service_workers', 'local_storage'];

test('evicted storage: one tap links a new device that replaces the lost one', async ({ ada, page, gateway }) => {
  const { id: lost } = await ada.held<{ id: string }>('device');
  await evict(ada, ...kept);
  await page.reload();
  await passkeyButton(ada).click();
  await ada.toAccount();
  await expectPremiumSaid(ada);
  const { devices } = await gateway.server.user('Ada');
  expect(devices).toHaveLength(1);
  expect(devices[0]?.id).not.toBe(lost);
});

test('cookies lost too, at the plan’s limit: the user picks the device to replace', async ({ ada, page, gateway }) => {
  const { server } = gateway;
  const premium = await server.admin<object>('GET', 'plans/premium');
  await server.admin('PUT', 'plans/premium', { ...premium, device_limit: 1 });
  const { id: lost } = await ada.held<{ id: string }>('device');
  await evict(ada, ...kept, 'cookies');
  await page.reload();
  await passkeyButton(ada).click();
  const told = 'devices are all in use. Choose one that this device replaces';
  await expect(page.getByRole('alert').filter({ hasText: told })).toBeVisible();
  await page.getByRole('button', { name: /^Replace/ }).click();
  await ada.toAccount();
  await expectPremiumSaid(ada);
  const { devices } = await server.user('Ada');
  expect(devices).toHaveLength(1);
  expect(devices[0]?.id).not.toBe(lost);
});

/** While storage is full, no write transaction can be committed. (CDP's own override does not affect IndexedDB.) */
async function fill(page: Page): Promise<(full: boolean) => Promise<void>> {
  const flag = 'test:full';
  const stage = (flag: string) => {
    const { put } = IDBObjectStore.prototype;
    IDBObjectStore.prototype.put = function (...args) {
      const request = put.apply(this, args);
      const { transaction } = this;
      request.addEventListener('success', () => {
        if (sessionStorage.getItem(flag) === null || transaction.error) return;
        Object.defineProperty(transaction, 'error', { value: new DOMException('staged', 'QuotaExceededError') });
        transaction.abort();
      });
      return request;
    };
  };
  await page.addInitScript(stage, flag);
  await page.evaluate(stage, flag);
  return (full) =>
    page.evaluate(([flag, full]) => (full ? sessionStorage.setItem(flag, '') : sessionStorage.removeItem(flag)), [
      flag,
      full,
    ] as const);
}

test('full storage is reported, premium continues, and writes succeed once there is room', async ({
  ada,
  page,
  gateway,
}) => {
  const full = await fill(page);
  await ada.toNotes();
  await ada.newNote.click();
  await ada.title.fill('Long');
  await full(true);
  await ada.text.fill('Nowhere to put it');
  await expect(ada.line).toContainText('not saved');
  await expect(ada.line).toContainText('full');
  await ada.toAccount();
  await ada.expectPremium();
  expect(await ada.checkNow()).toContain('could not be kept');
  await ada.expectPremium();

  await test.step('also on opening', async () => {
    await page.reload();
    await ada.toAccount();
    await ada.expectPremium();
    expect(await ada.checkNow()).toContain('could not be kept');
    await expect(ada.line).toContainText('full');
    expect(await ada.read('Kept')).toBe('Still here');
  });

  await test.step('with room again', async () => {
    await full(false);
    await ada.toAccount();
    expect(await ada.checkNow()).toBe('Up to date.');
    await ada.write('After', 'With room');
    await page.reload();
    expect(await ada.read('After')).toBe('With room');
    await ada.toAccount();
    await ada.expectPremium();
    expect((await gateway.server.user('Ada')).devices).toHaveLength(1);
  });
});
