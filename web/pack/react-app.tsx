// An app that imports @holdfast/react. react.test.js compiles it against the packed packages.
import { Feature, HoldfastProvider, useFeature, useHoldfast } from '@holdfast/react';
import { type JSX, Suspense } from 'react';

declare module '@holdfast/react' {
  interface Register {
    feature: 'export' | 'sync';
  }
}

function Page(): JSX.Element {
  const { user, entitlement, hf } = useHoldfast();
  const may: boolean = useFeature('export');
  // @ts-expect-error no such feature
  useFeature('exprot');
  const until: Date | null = entitlement.until;
  return (
    <button type="button" disabled={!may} onClick={() => hf.signIn()}>
      {user?.name ?? String(until)}
    </button>
  );
}

export const app = (
  <HoldfastProvider options={{ origin: 'https://example.test', roots: { current: {}, next: null } }}>
    <Suspense fallback="…">
      <Page />
      <Feature name="sync" fallback={<i>no</i>}>
        yes
      </Feature>
    </Suspense>
  </HoldfastProvider>
);
