import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { Options } from '../src/index.ts';
import { Profile, stubPasskeys } from './support/device.ts';
import { FakeServer, origin } from './support/fake-server.ts';

let server: FakeServer;
let profile: Profile;

beforeEach(async () => {
  stubPasskeys();
  server = await FakeServer.create();
  profile = new Profile(server);
});

afterEach(() => {
  profile.close();
  vi.unstubAllGlobals();
  vi.restoreAllMocks();
});

/** The page's address. */
function at(address: string, secure = true): void {
  vi.stubGlobal('location', new URL(address));
  vi.stubGlobal('isSecureContext', secure);
}

function refusingPrompts(name: string): void {
  stubPasskeys(() => Promise.reject(new DOMException('', name)));
}

const unreachable = () => Promise.reject(new TypeError('Failed to fetch'));

interface Mistake {
  readonly name: string;
  readonly make: () => void | Promise<void>;
  readonly options?: () => Partial<Options>;
  readonly code: string;
  readonly says: string[];
}

const mistakes: Mistake[] = [
  {
    name: 'the roots of another server',
    make: async () => {
      foreign = (await FakeServer.create()).roots;
    },
    options: () => ({ roots: foreign }),
    code: 'root_unknown',
    says: ['holdfast keys roots', 'signed by the root'],
  },
  {
    name: 'roots that cannot be loaded',
    make: () => {},
    options: () => ({ roots: async () => JSON.parse('<!doctype html>') }),
    code: 'roots_unavailable',
    says: ['roots', 'JSON'],
  },
  {
    name: 'roots that are none',
    make: () => {},
    options: () => ({ roots: { current: {}, next: null } }),
    code: 'roots_unavailable',
    says: ['P-256'],
  },
  {
    name: 'another origin than the server calls its own',
    make: () => {
      const fetch = server.fetch;
      alias = (input, init) => fetch(String(input).replace('https://alias.test', origin), init);
    },
    options: () => ({ origin: 'https://alias.test', fetch: alias }),
    code: 'issuer_mismatch',
    says: [origin, 'https://alias.test', '--origin'],
  },
  {
    name: "a page that the server's CORS does not allow",
    make: () => {
      at('https://pages.holdfast.test');
      server.interfere = ({ url }) => (new URL(url).pathname.startsWith('/v1/') ? unreachable() : undefined);
    },
    code: 'cross_origin',
    says: ['--allow-origin https://pages.holdfast.test'],
  },
  {
    name: "a page outside the server's RP ID",
    make: () => {
      at('https://elsewhere.test');
      refusingPrompts('SecurityError');
    },
    options: () => ({ rpId: undefined as never }),
    code: 'origin_refused',
    says: ['elsewhere.test', 'RP ID holdfast.test', '--rp-id'],
  },
  {
    name: 'a page outside the option rpId',
    make: () => {
      at('https://elsewhere.test');
      refusingPrompts('SecurityError');
    },
    code: 'origin_refused',
    says: ['elsewhere.test', 'option rpId'],
  },
  {
    name: "an rpId other than the server's",
    make: () => at('https://app.holdfast.test'),
    options: () => ({ rpId: 'app.holdfast.test' }),
    code: 'claims_invalid',
    says: ['app.holdfast.test', '--rp-id is "holdfast.test"'],
  },
  {
    name: '127.0.0.1 instead of localhost',
    make: () => {
      at('http://127.0.0.1:5173');
      refusingPrompts('SecurityError');
    },
    code: 'origin_refused',
    says: ['open http://localhost:5173'],
  },
  {
    name: 'no secure context',
    make: () => {
      at('http://192.168.1.5:5173', false);
      vi.stubGlobal('PublicKeyCredential', undefined);
    },
    code: 'not_supported',
    says: ['http://192.168.1.5:5173', 'https or localhost'],
  },
];

let foreign: Options['roots'];
let alias: typeof fetch;

describe.each(mistakes)('$name', ({ make, options, code, says }) => {
  beforeEach(make);

  it('is told in plain words with the option debug, once', async () => {
    const told: string[] = [];
    const hf = await profile.open({ ...options?.(), debug: (message) => told.push(message) });
    await vi.waitFor(() => expect(told).toHaveLength(1));
    expect(told[0]).toContain(`${code}: `);
    for (const part of says) expect(told[0]).toContain(part);
    await hf.reconcile();
    await hf.signIn().catch(() => {});
    expect(told).toHaveLength(1);
  });

  it.each(['register', 'signIn', 'autofill'] as const)('%s rejects with its code and words', async (method) => {
    const hf = await profile.open(options?.());
    const calls = {
      register: () => hf.register('Ada'),
      signIn: () => hf.signIn(),
      autofill: () => hf.signIn({ mediation: 'conditional' }),
    };
    const error = await calls[method]().then(
      () => null,
      (error: Error) => error,
    );
    expect(error).toMatchObject({ name: 'HoldfastError', code });
    for (const part of says) expect(error?.message).toContain(part);
  });
});

describe('what may pass', () => {
  it.each([
    ['no answer', () => unreachable(), 'does not answer'],
    ['an answer by something else', async () => new Response('<!doctype html>'), 'is no Holdfast server'],
  ])('%s: is told, and rejected as before', async (_, interfere, says) => {
    server.interfere = interfere;
    const told: string[] = [];
    const hf = await profile.open({ debug: (message) => told.push(message) });
    await vi.waitFor(() => expect(told[0]).toContain(says));
    await expect(hf.signIn()).rejects.toMatchObject({ code: 'no_contact' });
  });

  it('a failure after the client has opened is told, too', async () => {
    const told: string[] = [];
    const hf = await profile.open({ debug: (message) => told.push(message) });
    await hf.signIn();
    server.interfere = unreachable;
    await hf.reconcile();
    await vi.waitFor(() => expect(told[0]).toContain(`${origin} does not answer`));
  });
});

it('a slash too many is no mistake; a path is, and says so', async () => {
  await expect(profile.open({ origin: `${origin}/` })).resolves.toBeDefined();
  const error = await profile.open({ origin: `${origin}/app/` }).catch((error: Error) => error);
  expect(error).toMatchObject({ code: 'origin_invalid' });
  expect((error as Error).message).toContain(`"${origin}/app/" is not an origin such as https://`);
});

it('a good set-up tells nothing, and debug: true speaks in the console', async () => {
  const warn = vi.spyOn(console, 'warn').mockImplementation(() => {});
  at(`${origin}/page`);
  const hf = await profile.open({ debug: true });
  await vi.waitFor(() => expect(server.requests).toContain('POST /v1/authentication/options'));
  await hf.signIn();
  expect(warn).not.toHaveBeenCalled();
  server.interfere = unreachable;
  await hf.reconcile();
  await vi.waitFor(() =>
    expect(warn).toHaveBeenCalledWith(`Holdfast: no_contact: ${origin} does not answer: is the server running there?`),
  );
});
