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
  element('trial').hidden = hf.user === null || state !== 'none';
  const without = !hf.has('export');
  if (without && !element('export').disabled) element('outcome').textContent = '';
  element('export').disabled = without;
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

on('register', 'submit', ({ target }) => hf.register(new FormData(target).get('name')));
on('sign-in', 'click', () => hf.signIn());
on('trial', 'click', () => hf.startTrial());
on('export', 'click', async () => {
  element('outcome').textContent = 'Exported.';
});
hf.subscribe(render);
render();
await registerWorker();
