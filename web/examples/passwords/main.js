import { origin, registerWorker, roots } from 'virtual:holdfast';
import { HoldfastError, openHoldfast } from '@holdfast/client';

const element = (id) => document.getElementById(id);
const hf = await openHoldfast({ origin, roots });

function render() {
  const { state, until } = hf.entitlement;
  element('who').textContent = hf.user
    ? `${hf.user.name}: ${state}${until ? `, offline until ${until.toLocaleString()}` : ''}`
    : 'Not signed in';
  element('login').hidden = element('sign-in').hidden = hf.user !== null;
  element('trial').hidden = hf.user === null || state !== 'none';
}

/** Runs what the user asked for, and says why it failed. */
function on(id, event, work) {
  element(id).addEventListener(event, async (happened) => {
    happened.preventDefault();
    element('outcome').textContent = '';
    await work(happened).catch((error) => {
      element('outcome').textContent =
        `It did not work: ${error instanceof HoldfastError ? error.code : error.message}`;
    });
  });
}

/** Asks the site's own back end, with its cookie. */
async function post(path, body) {
  const headers = { 'Content-Type': 'application/json' };
  const response = await fetch(path, { method: 'POST', headers, body: JSON.stringify(body) });
  const answer = await response.json();
  if (!response.ok) throw new Error(answer.code);
  return answer;
}

on('login', 'submit', async ({ target }) => {
  await post('/login', Object.fromEntries(new FormData(target)));
  element('add').hidden = false;
});
on('add', 'click', async () => {
  const { code } = await post('/passkey');
  await hf.enrol(code);
  element('add').hidden = true;
});
on('sign-in', 'click', () => hf.signIn());
on('trial', 'click', () => hf.startTrial());
hf.subscribe(render);
render();
await registerWorker();
