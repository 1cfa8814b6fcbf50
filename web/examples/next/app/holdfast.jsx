'use client';

import { HoldfastProvider } from '@holdfast/react';
import { Suspense, useEffect } from 'react';
import roots from '../holdfast-roots.json';

const options = { origin: process.env.NEXT_PUBLIC_HOLDFAST_ORIGIN ?? 'http://localhost:8080', roots };

export function Holdfast({ children }) {
  useEffect(() => {
    if (process.env.NODE_ENV === 'development') return;
    navigator.serviceWorker?.register('/sw.js', { updateViaCache: 'none' });
  }, []);
  return (
    <HoldfastProvider options={options}>
      <Suspense>{children}</Suspense>
    </HoldfastProvider>
  );
}
