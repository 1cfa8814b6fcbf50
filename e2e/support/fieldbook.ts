import { readFile } from 'node:fs/promises';
import { expect, type Page } from '@playwright/test';
import { Authenticator, type Passkeys } from './authenticator.ts';

/** The sample app as its user sees it, by its visible texts. */
export class Fieldbook {
  readonly page: Page;
  readonly origin: string;
  #authenticator: Authenticator | undefined;

  constructor(page: Page, origin: string) {
    this.page = page;
    this.origin = origin;
  }

  get newNote() {
    return this.page.getByRole('button', { name: 'New note' });
  }

  get title() {
    return this.page.getByRole('textbox', { name: 'Title' });
  }

  get text() {
    return this.page.getByRole('textbox', { name: 'Text' });
  }

  get notes() {
    return this.page.getByRole('region', { name: 'Notes' }).getByRole('listitem');
  }

  note(title: string) {
    return this.notes.filter({ has: this.page.getByText(title, { exact: true }) }).getByRole('link');
  }

  get export() {
    return this.page.getByRole('button', { name: 'Export all notes' });
  }

  /** The text of the bar under the header. */
  get line() {
    return this.page.locator('.status-bar').getByRole('status');
  }

  get plan() {
    return this.page.locator('section[aria-labelledby=plan]');
  }

  get headline() {
    return this.plan.getByRole('heading');
  }

  /** With an authenticator that holds the passkeys given. */
  async open(passkeys: Passkeys = [], options: { autofill?: boolean } = {}): Promise<void> {
    this.#authenticator = await Authenticator.attach(this.page, options);
    await this.#authenticator.sync(passkeys);
    await this.page.goto(this.origin);
  }

  async passkeys(): Promise<Passkeys> {
    if (!this.#authenticator) throw new Error('not opened yet');
    return this.#authenticator.passkeys();
  }

  /** Replaces the authenticator; one that is not verifying does not verify the user. */
  async holdPasskeys(passkeys: Passkeys, options?: { verifying: boolean }): Promise<void> {
    await this.#authenticator?.remove();
    this.#authenticator = await Authenticator.attach(this.page, options);
    await this.#authenticator.sync(passkeys);
  }

  async losePasskeys(): Promise<void> {
    await this.holdPasskeys([]);
  }

  /** Synced passkeys share one counter everywhere; those of virtual authenticators do not. */
  async catchUp(): Promise<void> {
    const passkeys = await this.passkeys();
    await this.holdPasskeys(passkeys.map((passkey) => ({ ...passkey, signCount: passkey.signCount + 100 })));
  }

  /** Another device, to which the user's passkeys are synced. */
  async openOn(page: Page, passkeys?: Passkeys): Promise<Fieldbook> {
    const other = new Fieldbook(page, this.origin);
    await other.open(passkeys ?? (await this.passkeys()));
    return other;
  }

  async createAccount(name: string): Promise<void> {
    await this.page.getByLabel('Your name').fill(name);
    await this.page.getByRole('button', { name: 'Create account' }).click();
    await expect(this.newNote).toBeVisible();
  }

  async signIn(): Promise<void> {
    await this.page.getByRole('button', { name: 'Sign in with a passkey' }).click();
    await expect(this.newNote).toBeVisible();
  }

  async write(title: string, text: string): Promise<void> {
    await this.toNotes();
    await this.newNote.click();
    await this.title.fill(title);
    await this.text.fill(text);
    // A reload could end the page before a keystroke is stored. On a phone the list is hidden meanwhile.
    await expect.poll(() => this.#storedTexts(title)).toContain(text);
    await expect(
      this.page.getByRole('listitem', { includeHidden: true }).getByText(title, { exact: true }),
    ).toBeAttached();
  }

  /** The stored texts of the notes with that title. */
  #storedTexts(title: string): Promise<string[]> {
    return this.page.evaluate(async (title) => {
      const settled = <T>(request: IDBRequest<T>) =>
        new Promise<T>((resolve, reject) => {
          request.onsuccess = () => resolve(request.result);
          request.onerror = () => reject(request.error);
        });
      const database = await settled(indexedDB.open('fieldbook'));
      const notes: { title: string; text: string }[] = await settled(
        database.transaction('notes').objectStore('notes').getAll(),
      );
      database.close();
      return notes.filter((note) => note.title === title).map(({ text }) => text);
    }, title);
  }

  async read(title: string): Promise<string> {
    await this.toNotes();
    await this.note(title).click();
    await expect(this.title).toHaveValue(title);
    return this.text.inputValue();
  }

  /** On a phone, list and pane are shown one at a time. */
  async toNotes(): Promise<void> {
    const back = this.page.getByRole('link', { name: 'Notes', exact: true });
    if (await back.isVisible()) await back.click();
    await expect(this.newNote).toBeVisible();
  }

  async toAccount(): Promise<void> {
    await this.page.getByRole('link', { name: 'Account' }).click();
    await expect(this.headline).toBeVisible();
  }

  card(name: string) {
    return this.page.locator(`section[aria-labelledby=${name}]`);
  }

  get question() {
    return this.page.getByRole('dialog');
  }

  async toSecurity(): Promise<void> {
    await this.toAccount();
    await this.page.getByRole('link', { name: 'Manage passkeys and sessions' }).click();
    await expect(this.card('passkeys').getByRole('listitem')).not.toHaveCount(0);
  }

  async startTrial(): Promise<void> {
    await this.toAccount();
    await this.page.getByRole('button', { name: 'Start the free trial: 14 days' }).click();
    await this.expectPremium();
  }

  get unlock() {
    return this.page.getByRole('button', { name: 'Unlock with a passkey' });
  }

  async lockNow(): Promise<void> {
    await this.page.getByRole('button', { name: 'Lock now' }).click();
    await expect(this.unlock).toBeVisible();
  }

  async expectPremium(): Promise<void> {
    await expect(this.headline).toHaveText('Premium is on');
    await expect(this.export).toBeEnabled();
  }

  async expectWithoutPremium(headline: string | RegExp): Promise<void> {
    await expect(this.headline).toHaveText(headline);
    await expect(this.export).toBeDisabled();
  }

  /** Reconciles now, and returns the page's message about it. */
  async checkNow(): Promise<string> {
    const check = this.plan.getByRole('button', { name: 'Check now' });
    await check.click();
    await expect(check).toBeEnabled();
    const said = this.plan.locator('.outcome');
    await expect(said).not.toBeEmpty();
    return (await said.textContent()) ?? '';
  }

  /** Downloads the export and returns name and text. */
  async download(): Promise<{ name: string; text: string }> {
    const [file] = await Promise.all([this.page.waitForEvent('download'), this.export.click()]);
    return { name: file.suggestedFilename(), text: await readFile(await file.path(), 'utf8') };
  }

  /** Adds this many notes to the signed-in user's storage, bypassing the app, and reopens it. */
  async fill(count: number, text: (n: number) => string): Promise<void> {
    const { id: user } = await this.held<{ id: string }>('user');
    const day = Date.UTC(2025, 0, 1);
    const notes = Array.from({ length: count }, (_, n) => ({
      id: `00000000-0000-4000-8000-${String(n).padStart(12, '0')}`,
      user,
      title: `Entry ${n}`,
      text: text(n),
      createdAt: day + n * 60_000,
      changedAt: day + n * 60_000,
    }));
    await this.page.evaluate(async (notes) => {
      const opening = indexedDB.open('fieldbook');
      const database = await new Promise<IDBDatabase>((resolve, reject) => {
        opening.onsuccess = () => resolve(opening.result);
        opening.onerror = () => reject(opening.error);
      });
      const transaction = database.transaction('notes', 'readwrite');
      for (const note of notes) transaction.objectStore('notes').put(note);
      await new Promise<void>((resolve, reject) => {
        transaction.oncomplete = () => resolve();
        transaction.onerror = () => reject(transaction.error);
      });
      database.close();
    }, notes);
    await this.page.reload();
  }

  /** Resolves once the app opens without the network. */
  async installed(): Promise<void> {
    await this.page.evaluate(() => navigator.serviceWorker.ready.then(() => undefined));
  }

  /** The toast about a new version. */
  get newVersion() {
    return this.page.getByText('A new version is ready');
  }

  /** Makes the browser check for a new version of the app, as it does when the page is shown; false: none was installed. */
  findNewVersion(): Promise<boolean> {
    return this.page.evaluate(async () => {
      const registration = await navigator.serviceWorker.ready;
      await registration.update();
      const { installing } = registration;
      // Its next state: installed, or redundant if a part of it could not be loaded.
      if (installing) await new Promise((done) => installing.addEventListener('statechange', done, { once: true }));
      return registration.waiting !== null;
    });
  }

  /** Accepts the new version. */
  async takeNewVersion(): Promise<void> {
    await expect(this.newVersion).toBeVisible();
    await Promise.all([this.page.waitForEvent('load'), this.page.getByRole('button', { name: 'Reload' }).click()]);
    await expect(this.newVersion).toBeHidden();
    await this.toAccount();
  }

  /** The number of root keys that the app embeds. */
  embeddedRoots(): Promise<number> {
    return this.page.evaluate(async () => {
      const { next } = await (await fetch('/roots.json')).json();
      return next === null ? 1 : 2;
    });
  }

  /** Waits until no tab or worker is reconciling: with the server down, storage then stays unchanged. */
  async settled(): Promise<void> {
    const locks = () =>
      this.page.evaluate(async () => {
        const { held = [], pending = [] } = await navigator.locks.query();
        return [...held, ...pending].filter(({ name }) => name === 'holdfast').length;
      });
    await expect.poll(locks).toBe(0);
  }

  /** Reads the SDK's records by key. */
  held<T>(key: string): Promise<T> {
    return this.page.evaluate(async (key) => {
      const database = await open();
      try {
        return await settled<T>(database.transaction('state').objectStore('state').get(key));
      } finally {
        database.close();
      }
      function open() {
        return settled<IDBDatabase>(indexedDB.open('holdfast'));
      }
      function settled<T>(request: IDBRequest) {
        return new Promise<T>((resolve, reject) => {
          request.onsuccess = () => resolve(request.result);
          request.onerror = () => reject(request.error);
        });
      }
    }, key);
  }

  /** Replaces a record of the SDK, as anybody with the developer tools can. */
  async forge(key: string, value: unknown): Promise<void> {
    await this.page.evaluate(
      async ([key, value]) => {
        const opening = indexedDB.open('holdfast');
        const database = await new Promise<IDBDatabase>((resolve, reject) => {
          opening.onsuccess = () => resolve(opening.result);
          opening.onerror = () => reject(opening.error);
        });
        const transaction = database.transaction('state', 'readwrite', { durability: 'strict' });
        transaction.objectStore('state').put(value, key);
        await new Promise<void>((resolve, reject) => {
          transaction.oncomplete = () => resolve();
          transaction.onerror = () => reject(transaction.error);
        });
        database.close();
      },
      [key, value] as const,
    );
  }
}
