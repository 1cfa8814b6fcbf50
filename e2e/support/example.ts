import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { cp, mkdir, mkdtemp, readdir, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);
const web = join(import.meta.dirname, '../../web');

/** The installed modules that others have made: those that the lock files of web/ and its examples name. */
const installed = [join(web, 'examples/node_modules'), join(web, 'node_modules')];

/**
 * Provides an app with all of them, as links. `copied` makes hard links of their files instead, or copies: Turbopack follows
 * no link that leads out of the app.
 */
async function provide(modules: string, copied: boolean): Promise<void> {
  const sources = new Map<string, string>();
  for (const folder of installed) {
    for (const name of await readdir(folder).catch(() => [])) {
      if (name.startsWith('.') || name === '@holdfast') continue;
      const scoped = name.startsWith('@') ? await readdir(join(folder, name)) : [''];
      for (const part of scoped) sources.set(join(name, part), join(folder, name, part));
    }
    const commands = join(folder, '.bin');
    if (existsSync(commands)) await cp(commands, join(modules, '.bin'), { recursive: true, verbatimSymlinks: true });
  }
  for (const [name, source] of sources) {
    const target = join(modules, name);
    await mkdir(copied ? target : dirname(target), { recursive: true });
    const copy = ['-RP', `${source}/.`, target];
    if (copied) await run('cp', ['-l', ...copy]).catch(() => run('cp', copy));
    else await symlink(source, target);
  }
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

/** An app of web/examples, built from the packed packages as their users install them. */
export class Example {
  readonly origin: string;
  readonly folder: string;
  #preview: ChildProcess | undefined;

  private constructor(folder: string, port: number) {
    this.folder = folder;
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
    await mkdir(modules);
    await provide(modules, existsSync(join(folder, 'next.config.js')));
    for (const source of packages) {
      const { module, file } = await pack(source);
      await mkdir(join(modules, module), { recursive: true });
      await run('tar', ['-xzf', file, '-C', join(modules, module), '--strip-components=1']);
    }
    await run('npm', ['run', 'build'], {
      cwd: folder,
      env: {
        ...process.env,
        HOLDFAST_ORIGIN: origin,
        NEXT_PUBLIC_HOLDFAST_ORIGIN: origin,
        NEXT_TELEMETRY_DISABLED: '1',
      },
    });
    return new Example(folder, port);
  }

  /** With its own back end, `server.js` or `main.go`, or with `vite preview`. */
  async serve(holdfast: string, settings: Record<string, string> = {}): Promise<void> {
    const { port } = new URL(this.origin);
    const has = (name: string) => existsSync(join(this.folder, name));
    let command = [process.execPath, 'node_modules/vite/bin/vite.js', 'preview', '--port', port, '--strictPort'];
    if (has('server.js')) command = [process.execPath, 'server.js'];
    if (has('main.go')) command = [await this.#compile()];
    const [program = '', ...args] = command;
    this.#preview = spawn(program, args, {
      cwd: this.folder,
      env: { ...process.env, PORT: port, HOLDFAST_ORIGIN: holdfast, ...settings },
      stdio: 'ignore',
    });
    while (!(await fetch(this.origin).catch(() => null))) {
      if (this.#preview.exitCode !== null) throw new Error(`the app’s host ended with ${this.#preview.exitCode}`);
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }

  /** Compiles `main.go` as a module of its own, which imports the project by a `replace` line. */
  async #compile(): Promise<string> {
    for (const args of [
      ['mod', 'init', 'example.com/shop'],
      ['mod', 'edit', '-replace', `holdfast=${join(web, '..')}`],
      ['mod', 'tidy'],
      ['build', '-o', 'shop', '.'],
    ]) {
      await run('go', args, { cwd: this.folder });
    }
    return join(this.folder, 'shop');
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
    await rm(this.folder, { recursive: true, force: true });
  }
}
