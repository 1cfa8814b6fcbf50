declare global {
  interface Window {
    /** The page's result, and the milliseconds it took. */
    told?: { readonly answer: boolean; readonly took: number };
  }
}

export async function loadRoots() {
  return (await fetch('/roots.json')).json();
}

/** Milliseconds since the browser began to start the service worker that answered with this page. */
export function sinceWorkerStart(): number {
  const [navigation] = performance.getEntriesByType('navigation') as PerformanceNavigationTiming[];
  if (!navigation?.workerStart) throw new Error('no service worker started for this page');
  return performance.now() - navigation.workerStart;
}

export function tell(answer: boolean, took: number): void {
  window.told = { answer, took };
}
