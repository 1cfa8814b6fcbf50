import { afterEach, beforeEach, expect, test, vi } from 'vitest';

let stored: Map<string, string>;

beforeEach(() => {
  stored = new Map();
  vi.stubGlobal('localStorage', {
    getItem: (key: string) => stored.get(key) ?? null,
    setItem: (key: string, value: string) => stored.set(key, value),
  });
  vi.resetModules();
});

afterEach(() => vi.unstubAllGlobals());

/** The module as a page that was just opened sees it. */
async function freshPage() {
  vi.resetModules();
  return import('./trial.ts');
}

test('a trial that was had is not offered to this user again, after a reload either', async () => {
  const page = await freshPage();
  expect(page.trialOffered('ada')).toBe(true);
  page.trialHad('ada');
  expect([page.trialOffered('ada'), page.trialOffered('grace')]).toEqual([false, true]);
  const later = await freshPage();
  later.trialHad('grace');
  expect([later.trialOffered('ada'), later.trialOffered('grace'), later.trialOffered('eve')]).toEqual([
    false,
    false,
    true,
  ]);
});

test('where the server has none, nobody is offered one until the page is opened anew', async () => {
  const page = await freshPage();
  page.noTrialHere();
  expect(page.trialOffered('ada')).toBe(false);
  expect((await freshPage()).trialOffered('ada')).toBe(true);
});

test.each(['rubbish', '{"ada":1}', 'null'])('what is stored may be anything: %s', async (text) => {
  stored.set('fieldbook-trials-had', text);
  const page = await freshPage();
  expect(page.trialOffered('ada')).toBe(true);
  page.trialHad('ada');
  expect((await freshPage()).trialOffered('ada')).toBe(false);
});

test('without storage it is known as long as the page is open', async () => {
  const refuse = () => {
    throw new DOMException('', 'SecurityError');
  };
  vi.stubGlobal('localStorage', { getItem: refuse, setItem: refuse });
  const page = await freshPage();
  page.trialHad('ada');
  expect(page.trialOffered('ada')).toBe(false);
});
