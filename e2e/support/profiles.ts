import { cp, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type BrowserContext, type BrowserContextOptions, chromium, type LaunchOptions } from '@playwright/test';

/** Browser profiles in folders, which outlive the browser. */
export class Profiles {
  readonly #options: LaunchOptions & BrowserContextOptions;
  readonly #folders: string[] = [];
  readonly #open: BrowserContext[] = [];

  constructor(options: LaunchOptions & BrowserContextOptions) {
    this.#options = options;
  }

  /** An empty folder. */
  async make(): Promise<string> {
    const folder = await mkdtemp(join(tmpdir(), 'hf-profile-'));
    this.#folders.push(folder);
    return folder;
  }

  /** Copies all files of a profile whose browser is closed. */
  async copy(from: string): Promise<string> {
    const folder = await this.make();
    await cp(from, folder, { recursive: true, preserveTimestamps: true, verbatimSymlinks: true });
    return folder;
  }

  /** Starts a browser on a profile, with additional command line arguments. */
  async open(folder: string, ...args: string[]): Promise<BrowserContext> {
    const options = { ...this.#options, args: [...(this.#options.args ?? []), ...args] };
    const context = await chromium.launchPersistentContext(folder, options);
    this.#open.push(context);
    return context;
  }

  async dispose(): Promise<void> {
    for (const context of this.#open) await context.close();
    for (const folder of this.#folders) await rm(folder, { recursive: true, force: true });
  }
}
