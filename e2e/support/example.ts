import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { cp, mkdir, mkdtemp, readdir, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);
const web = join(import.meta.dirname, '../../web');

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
      const packed = await run('npm', ['pack', '--json', '--pack-destination', folder], { cwd: join(web, source) });
      const [{ filename, name }] = JSON.parse(packed.stdout);
      const target = join(modules, name);
      await mkdir(target);
      await run('tar', ['-xzf', join(folder, filename), '-C', target, '--strip-components=1']);
    }
    // All that others have made is what the lock file of web/ names.
    for (const other of await readdir(join(web, 'node_modules'))) {
      if (!other.startsWith('.') && other !== '@holdfast') {
        await symlink(join(web, 'node_modules', other), join(modules, other));
      }
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

  async serve(): Promise<void> {
    const { port } = new URL(this.origin);
    this.#preview = spawn(process.execPath, [this.#vite, 'preview', '--port', port, '--strictPort'], {
      cwd: this.#folder,
      stdio: 'ignore',
    });
    while (!(await fetch(this.origin).catch(() => null))) {
      if (this.#preview.exitCode !== null) throw new Error(`vite preview ended with ${this.#preview.exitCode}`);
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
