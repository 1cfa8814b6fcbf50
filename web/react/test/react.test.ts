// @vitest-environment happy-dom
import { type Holdfast, type Options, openHoldfast } from '@holdfast/client';
import { act, Component, createElement as h, type ReactNode, StrictMode, Suspense } from 'react';
import { createRoot, hydrateRoot, type Root } from 'react-dom/client';
import { renderToString } from 'react-dom/server';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { stubPasskeys } from '../../sdk/test/support/device.ts';
import { FakeServer, origin } from '../../sdk/test/support/fake-server.ts';
import { Feature, HoldfastProvider, useFeature, useHoldfast } from '../src/index.ts';

let server: FakeServer;
let options: Options;
let container: HTMLElement;
let root: Root | undefined;
let hf: Holdfast;
let count = 0;

beforeEach(async () => {
  vi.stubGlobal('IS_REACT_ACT_ENVIRONMENT', true);
  stubPasskeys();
  server = await FakeServer.create();
  const roots = vi.fn(async () => server.roots);
  options = {
    origin,
    roots,
    fetch: server.fetch,
    database: `react-${++count}`,
    autoReconcile: false,
    clock: () => server.now * 1000,
  };
  container = document.createElement('div');
});

afterEach(async () => {
  await act(async () => root?.unmount());
  root = undefined;
  vi.unstubAllGlobals();
  vi.restoreAllMocks();
});

let renders = 0;

function Shown() {
  const value = useHoldfast();
  hf = value.hf;
  return h('p', null, `${value.user?.name ?? 'nobody'}, ${value.entitlement.state}`);
}

function Export() {
  renders += 1;
  return h('p', null, useFeature('export') ? 'export' : 'no export');
}

const gate = () => h(Feature, { name: 'notes', fallback: h('i', null, 'upgrade') }, h('b', null, 'notes'));
const app = () => h(Suspense, { fallback: 'opening' }, h(Shown), h(Export), gate());

async function render(children: ReactNode): Promise<void> {
  root = createRoot(container);
  await act(async () => root?.render(children));
}

/** React renders what is due at the end of each act. */
const shows = (text: string) =>
  vi.waitFor(async () => {
    await act(async () => {});
    expect(container.textContent).toBe(text);
  });

describe('HoldfastProvider', () => {
  it('suspends until the client is open, and renders again after changes only', async () => {
    root = createRoot(container);
    act(() => root?.render(h(HoldfastProvider, { options }, app())));
    expect(container.textContent).toBe('opening');
    await shows('nobody, noneno exportupgrade');
    await act(() => hf.signIn());
    await shows('Ada, activeexportnotes');
    renders = 0;
    server.now += 1;
    await act(() => hf.reconcile());
    expect(renders).toBe(0);
    await act(() => hf.signOut());
    await shows('nobody, noneno exportupgrade');
  });

  it('opens once in StrictMode, above or below Suspense, and closes with the last provider', async () => {
    const twice = [h(HoldfastProvider, { options, key: 1 }, app()), h(HoldfastProvider, { options, key: 2 }, h(Shown))];
    await render(h(StrictMode, null, h(Suspense, { fallback: 'opening' }, ...twice)));
    await shows('nobody, noneno exportupgradenobody, none');
    const first = hf;
    await act(() => hf.signIn());
    await shows('Ada, activeexportnotesAda, active');
    await act(async () => root?.render(h(StrictMode, null, h(Suspense, { fallback: 'opening' }, twice[0]))));
    await new Promise((resolve) => setTimeout(resolve));
    expect(hf).toBe(first);
    expect(await first.reconcile()).toEqual({ outcome: 'reconciled' });
    await act(async () => root?.unmount());
    await vi.waitFor(() => expect(first.reconcile()).rejects.toMatchObject({ code: 'closed' }));
  });

  it.each(['a client', 'the promise of a client'])('takes %s, and leaves it open', async (kind) => {
    const opening = openHoldfast(options);
    const client = kind === 'a client' ? await opening : opening;
    await render(h(HoldfastProvider, { client }, app()));
    await shows('nobody, noneno exportupgrade');
    expect(hf).toBe(await opening);
    await act(async () => root?.unmount());
    await new Promise((resolve) => setTimeout(resolve));
    expect((await hf.reconcile()).outcome).toBe('signed_out');
    hf.close();
  });

  it('gives a failure to open to the error boundary', async () => {
    vi.spyOn(console, 'error').mockImplementation(() => {});
    class Boundary extends Component<{ children?: ReactNode }, { code?: string }> {
      override state: { code?: string } = {};
      static getDerivedStateFromError = ({ code }: { code: string }) => ({ code });
      override render = () => this.state.code ?? this.props.children;
    }
    const wrong = { ...options, origin: `${origin}/app` };
    await render(h(Boundary, null, h(HoldfastProvider, { options: wrong }, app())));
    await shows('origin_invalid');
  });

  it('is required', () => {
    expect(() => renderToString(h(Shown))).toThrow('<HoldfastProvider> is missing');
  });
});

describe('on a server', () => {
  it('nobody is signed in, and hydration begins with that and ends with the user', async () => {
    const signedIn = await openHoldfast(options);
    await signedIn.signIn();
    signedIn.close();
    const page = h(HoldfastProvider, { options }, app());

    const { document } = globalThis;
    vi.stubGlobal('document', undefined);
    container.innerHTML = renderToString(page);
    vi.stubGlobal('document', document);
    expect(container.textContent).toBe('nobody, noneno exportupgrade');

    const errors = vi.fn();
    vi.spyOn(console, 'error').mockImplementation(errors);
    vi.stubGlobal('IS_REACT_ACT_ENVIRONMENT', false);
    root = hydrateRoot(container, page, { onRecoverableError: errors });
    await vi.waitFor(() => expect(container.textContent).toBe('Ada, activeexportnotes'));
    expect(errors).not.toHaveBeenCalled();
  });
});
