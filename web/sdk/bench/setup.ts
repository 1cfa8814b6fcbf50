/// <reference types="trusted-types" />
// Signs a user in, takes a document, and installs the worker; then the other pages work offline.
import { openHoldfast } from '../src/index.ts';
import { loadRoots, tell } from './page.ts';

const scriptURL = (url: string) => url;
const policy = window.trustedTypes?.createPolicy('holdfast', { createScriptURL: scriptURL });
await navigator.serviceWorker.register((policy?.createScriptURL('/sw.js') ?? '/sw.js') as string);
await navigator.serviceWorker.ready;

const hf = await openHoldfast({ origin: location.origin, roots: loadRoots, autoReconcile: false });
await hf.register('Ada');
await hf.startTrial();
tell(hf.has('export'), 0);
