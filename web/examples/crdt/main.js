import { origin, registerWorker, roots } from 'virtual:holdfast';
import { HoldfastError, openHoldfast } from '@holdfast/client';
import { openLedger } from '@holdfast/client/ledger';
import * as Y from 'yjs';

const element = (id) => document.getElementById(id);
const hf = await openHoldfast({ origin, roots });
const ledger = await openLedger(hf);
const doc = new Y.Doc();
const text = doc.getText('text');

const encode = (bytes) => btoa(String.fromCharCode(...bytes));
const decode = (base64) => Uint8Array.from(atob(base64), (character) => character.charCodeAt(0));

/** Keeps an update beside those of other tabs: within the transaction, nothing else can be awaited. */
async function keep(store, update) {
  const kept = await store.get('text');
  await store.put(kept ? Y.mergeUpdates([kept, update]) : update, 'text');
}

/** Applies an edit of this page, and records and keeps it, both or neither. */
async function edit(change) {
  const before = Y.encodeStateVector(doc);
  doc.transact(change);
  const update = Y.encodeStateAsUpdate(doc, before);
  await ledger.record('notes', 'text.update', encode(update), { write: (store) => keep(store, update) });
}

/** Merges what the user's other devices have recorded. An update that comes twice changes nothing. */
async function follow() {
  for await (const { own, action, verdict, payload } of ledger.actions()) {
    if (own || action !== 'text.update' || verdict !== 'accepted') continue;
    const update = decode(payload);
    await ledger.app((store) => keep(store, update));
    Y.applyUpdate(doc, update);
  }
}

/** Replaces the part that differs. */
function replaceWith(next) {
  const now = text.toString();
  let [start, end] = [0, 0];
  while (start < Math.min(now.length, next.length) && now[start] === next[start]) start++;
  while (end < Math.min(now.length, next.length) - start && now.at(-1 - end) === next.at(-1 - end)) end++;
  text.delete(start, now.length - start - end);
  text.insert(start, next.slice(start, next.length - end));
}

function render() {
  const { state } = hf.entitlement;
  const waiting = hf.ledger?.waiting ?? 0;
  element('who').textContent = hf.user ? `${hf.user.name}: ${state}, waiting: ${waiting}` : 'Not signed in';
  element('register').hidden = element('sign-in').hidden = hf.user !== null;
  element('trial').hidden = hf.user === null || state !== 'none';
  element('text').disabled = !hf.has('notes');
}

/** Runs what the user asked for, and says why it failed. */
function on(id, event, work) {
  element(id).addEventListener(event, async (happened) => {
    happened.preventDefault();
    element('outcome').textContent = '';
    await work(happened).catch((error) => {
      if (!(error instanceof HoldfastError)) throw error;
      element('outcome').textContent = `It did not work: ${error.code}`;
    });
  });
}

const kept = await ledger.app((store) => store.get('text'));
if (kept) Y.applyUpdate(doc, kept);
const show = () => {
  if (element('text').value !== text.toString()) element('text').value = text.toString();
};
text.observe(show);
show();

on('register', 'submit', ({ target }) => hf.register(new FormData(target).get('name')));
on('sign-in', 'click', () => hf.signIn());
on('trial', 'click', () => hf.startTrial());
on('text', 'input', ({ target }) => edit(() => replaceWith(target.value)));

let following = false;
hf.subscribe(() => {
  render();
  if (following || !hf.user) return;
  following = true;
  follow().catch(() => {
    following = false; // until something changes
  });
});
render();
await registerWorker();
