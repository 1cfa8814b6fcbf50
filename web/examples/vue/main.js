import { origin, registerWorker, roots } from 'virtual:holdfast';
import { openHoldfast } from '@holdfast/client';
import { createApp, shallowRef } from 'vue';
import App from './App.vue';

const hf = await openHoldfast({ origin, roots });
const shown = shallowRef(hf.snapshot());
hf.subscribe(() => {
  shown.value = hf.snapshot();
});
createApp(App, { hf, shown }).mount('#app');
await registerWorker();
