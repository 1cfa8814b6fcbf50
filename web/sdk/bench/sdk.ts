import { openHoldfast } from '../src/index.ts';
import { loadRoots, sinceWorkerStart, tell } from './page.ts';

const hf = await openHoldfast({ origin: location.origin, roots: loadRoots, autoReconcile: false });
const answer = hf.has('export');
tell(answer, sinceWorkerStart());
