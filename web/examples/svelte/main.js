import { origin, registerWorker, roots } from 'virtual:holdfast';
import { openHoldfast } from '@holdfast/client';
import { mount } from 'svelte';
import { readable } from 'svelte/store';
import App from './App.svelte';

const hf = await openHoldfast({ origin, roots });
const shown = readable(hf.snapshot(), (set) => hf.subscribe(() => set(hf.snapshot())));
mount(App, { target: document.getElementById('app'), props: { hf, shown } });
await registerWorker();
