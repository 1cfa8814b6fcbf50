import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { cp, mkdir, mkdtemp, readdir, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);
const web = join(import.meta.dirname, '../../web');

/** The folders of all packages that others have made, by name: those that the lock files of web/ and its examples name. */
async function others(): Promise<Map<string, string>> {
  const found = new Map<string, string>();
  for (const folder of [join(web, 'examples/node_modules'), join(web, 'node_modules')]) {
    for (const name of await readdir(folder).catch(() => [])) {
      if (name.startsWith('.') || name === '@holdfast') continue;
      const scoped = name.startsWith('@') ? await readdir(join(folder, name)) : [''];
      for (const part of scoped) found.set(join(name, part), join(folder, name, part));
    }
  }
  return found;
}

const packs = new Map<string, { module: string; file: string }>();

/** Packs a folder of web/, once. It builds in that folder: call it from one worker only. */
async function pack(source: string): Promise<{ module: string; file: string }> {
  const known = packs.get(source);
  if (known) return known;
  const target = join(import.meta.dirname, '../test-results/packs');
  await mkdir(target, { recursive: true });
  const { stdout } = await run('npm', ['pack', '--json', '--pack-destination', target], { cwd: join(web, source) });
  const [{ filename, name }] = JSON.parse(stdout);
  const made = { module: name, file: join(target, filename) };
  packs.set(source, made);
  return made;
}

/** An app of web/examples, built from the packed packages as their users install them, and served by Vite. */
export class Example {
  readonly origin: string;
  readonly #folder: string;
  #preview: ChildProcess | undefined;

  private constructor(folder: string, port: number) {
    this.#folder = folder;
    this.origin = `http://localhost:${port}`;
  }

  /** `roots` is the output of `holdfast keys roots`; `packages` are folders of web. */
  static async build(
    name: string,
    port: number,
    { packages, origin, roots }: { packages: readonly string[]; origin: string; roots: string },
  ): Promise<Example> {
    const folder = await mkdtemp(join(tmpdir(), 'holdfast-example-'));
    await cp(join(web, 'examples', name), folder, { recursive: true });
    await writeFile(join(folder, 'holdfast-roots.json'), roots);
    const modules = join(folder, 'node_modules');
    await mkdir(join(modules, '@holdfast'), { recursive: true });
    for (const source of packages) {
      const { module, file } = await pack(source);
      await mkdir(join(modules, module));
      await run('tar', ['-xzf', file, '-C', join(modules, module), '--strip-components=1']);
    }
    for (const [module, source] of await others()) {
      await mkdir(dirname(join(modules, module)), { recursive: true });
      await symlink(source, join(modules, module));
    }
    const example = new Example(folder, port);
    await run(process.execPath, [example.#vite, 'build'], {
      cwd: folder,
      env: { ...process.env, HOLDFAST_ORIGIN: origin },
    });
    return example;
  }

  get #vite(): string {
    return join(this.#folder, 'node_modules/vite/bin/vite.js');
  }

  /** With its own back end, `server.js`, or with `vite preview`. */
  async serve(holdfast: string, settings: Record<string, string> = {}): Promise<void> {
    const { port } = new URL(this.origin);
    const own = existsSync(join(this.#folder, 'server.js'));
    const command = own ? ['server.js'] : [this.#vite, 'preview', '--port', port, '--strictPort'];
    this.#preview = spawn(process.execPath, command, {
      cwd: this.#folder,
      env: { ...process.env, PORT: port, HOLDFAST_ORIGIN: holdfast, ...settings },
      stdio: 'ignore',
    });
    while (!(await fetch(this.origin).catch(() => null))) {
      if (this.#preview.exitCode !== null) throw new Error(`the app’s host ended with ${this.#preview.exitCode}`);
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }

  async stop(): Promise<void> {
    const preview = this.#preview;
    if (!preview) return;
    this.#preview = undefined;
    const ended = new Promise((resolve) => preview.once('exit', resolve));
    preview.kill();
    await ended;
  }

  async dispose(): Promise<void> {
    await this.stop();
    await rm(this.#folder, { recursive: true, force: true });
  }
}
