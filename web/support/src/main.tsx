import { speak } from '@holdfast/kit/words.ts';
import { render } from 'preact';
import { followAddress } from './address.ts';
import { keepTime } from './clock.ts';
import { askWho, followSession } from './session.ts';
import { followSettings } from './settings.ts';
import { App } from './ui/app.tsx';

followAddress();
keepTime();
followSession();
followSettings();
void askWho();
await speak(() => import('./locales/de.ts').then((german) => german.default));
render(<App />, document.getElementById('app') as HTMLElement);
