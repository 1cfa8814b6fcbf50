import { sinceWorkerStart, tell } from './page.ts';

const algorithm = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' };
const { jwk, text, signature } = await (await fetch('/sample.json')).json();
const key = await crypto.subtle.importKey('jwk', jwk, algorithm, false, ['verify']);
const message = new TextEncoder().encode(text);
const answer = await crypto.subtle.verify(algorithm, key, Uint8Array.from(signature), message);
tell(answer, sinceWorkerStart());
