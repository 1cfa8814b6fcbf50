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

/** The module in a newly opened page. */
async function freshPage() {
  vi.resetModules();
  return import('./trial.ts');
}

test('does not offer a used trial to this user again, even after a reload', async () => {
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

test('offers no trial until a reload if the server has none', async () => {
  const page = await freshPage();
  page.noTrialHere();
  expect(page.trialOffered('ada')).toBe(false);
  expect((await freshPage()).trialOffered('ada')).toBe(true);
});

test.each(['rubbish', '{"ada":1}', 'null'])('tolerates any stored value: %s', async (text) => {
  stored.set('fieldbook-trials-had', text);
  const page = await freshPage();
  expect(page.trialOffered('ada')).toBe(true);
  page.trialHad('ada');
  expect((await freshPage()).trialOffered('ada')).toBe(false);
});

test('without storage, remembers a used trial while the page is open', async () => {
  const refuse = () => {
    throw new DOMException('', 'SecurityError');
  };
  vi.stubGlobal('localStorage', { getItem: refuse, setItem: refuse });
  const page = await freshPage();
  page.trialHad('ada');
  expect(page.trialOffered('ada')).toBe(false);
});
