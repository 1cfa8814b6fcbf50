import { speak } from '@holdfast/kit/words.ts';
import { effect } from '@preact/signals';
import { render } from 'preact';
import { locked, openClient, user } from './client.ts';
import { openBook } from './notes/book.ts';
import { followAddress } from './route.ts';
import { followStanding } from './told.ts';
import { askTrial } from './trial.ts';
import { App } from './ui/app.tsx';
import { NotOpened } from './ui/not-opened.tsx';
import { watchForUpdates } from './update.ts';
import { watchWhole } from './whole.ts';

const root = document.getElementById('app') as HTMLElement;

async function start(): Promise<void> {
  followAddress();
  await speak(() => import('./locales/de.ts').then((german) => german.default));
  try {
    await openClient();
  } catch (error) {
    console.error(error);
    render(<NotOpened />, root);
    return;
  }
  followStanding();
  effect(() => {
    // While locked, no notes are even in memory.
    void openBook(locked.value ? null : (user.value?.id ?? null));
  });
  render(<App />, root);
}

void start();
void askTrial();
void watchForUpdates();
void watchWhole();
