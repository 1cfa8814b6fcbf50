import { origin, registerWorker, roots } from 'virtual:holdfast';
import { HoldfastError, openHoldfast } from '@holdfast/client';

const element = (id) => document.getElementById(id);
const hf = await openHoldfast({ origin, roots });

function render() {
  const { state, until } = hf.entitlement;
  element('who').textContent = hf.user
    ? `${hf.user.name}: ${state}${until ? `, offline until ${until.toLocaleString()}` : ''}`
    : 'Not signed in';
  element('register').hidden = element('sign-in').hidden = hf.user !== null;
  element('buy').hidden = hf.user === null || hf.has('export');
  element('manage').hidden = !hf.has('export');
  element('export').disabled = !hf.has('export');
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

/** Goes to the page of Stripe that the back end names. */
async function follow(path) {
  const response = await hf.fetch(path, { method: 'POST' });
  const { code, url } = await response.json();
  if (response.ok) location.assign(url);
  else element('outcome').textContent = `It did not work: ${code}`;
}

on('register', 'submit', ({ target }) => hf.register(new FormData(target).get('name')));
on('sign-in', 'click', () => hf.signIn());
on('buy', 'click', () => follow('/checkout'));
on('manage', 'click', () => follow('/portal'));
on('export', 'click', async () => {
  element('outcome').textContent = 'Exported.';
});
hf.subscribe(render);
render();
await registerWorker();
