// A package as its users install it: packed once, and unpacked into an app outside the repository.
import { execFile, execFileSync } from 'node:child_process';
import {
  copyFileSync,
  cpSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { publint } from 'publint';
import { formatMessage } from 'publint/utils';
import { afterAll, beforeAll, expect, test } from 'vitest';

/** The output of a tool about a fault; '' if it finds none. */
const faults = (script, ...options) =>
  promisify(execFile)(process.execPath, [script, ...options]).then(
    () => '',
    (error) => error.stdout || String(error),
  );

const here = (path) => fileURLToPath(new URL(path, import.meta.url));

const allCompilers = ['5.4', '5.9', '6', '7'];
const resolutions = { bundler: 'ESNext', node16: 'Node16', nodenext: 'NodeNext' };

/** Packs a package of the workspace into `app` and unpacks it there. */
function install(app, { folder, name }) {
  const cwd = here(`../${folder}`);
  const [pack] = JSON.parse(
    execFileSync('npm', ['pack', '--json', '--pack-destination', app], { cwd, encoding: 'utf8' }),
  );
  const target = join(app, 'node_modules', name);
  mkdirSync(target, { recursive: true });
  const tarball = join(app, pack.filename);
  execFileSync('tar', ['-xzf', tarball, '-C', target, '--strip-components=1']);
  return { tarball, packed: pack.files.map(({ path }) => path) };
}

/** Links every installed package of others into the app. */
function linkAll(app) {
  for (const name of readdirSync(here('../node_modules'))) {
    if (name.startsWith('.') || name === '@holdfast') continue;
    symlinkSync(here(`../node_modules/${name}`), join(app, 'node_modules', name));
  }
}

/**
 * Registers the tests that every package must pass, and returns the app's folder and a reader of the package's files, both to
 * be called inside tests.
 *
 * @param name of the package
 * @param folder in web/
 * @param consumer the app's source, in this folder, that imports every entry
 * @param requires further packages of the workspace, as { name, folder }
 * @param modules installed packages that the app needs, or 'all'
 * @param extra files beside sources, modules and documents
 * @param compilerOptions further options of the app
 * @param compilers versions of TypeScript
 */
export function checkPack({
  name,
  folder,
  consumer,
  requires = [],
  modules = [],
  extra = [],
  compilerOptions = {},
  compilers = allCompilers,
}) {
  let app;
  let tarball;
  let packed;

  const read = (path) => readFileSync(join(app, 'node_modules', name, path), 'utf8');

  beforeAll(() => {
    app = mkdtempSync(join(tmpdir(), 'holdfast-pack-'));
    for (const required of requires) install(app, required);
    ({ tarball, packed } = install(app, { folder, name }));
    if (modules === 'all') linkAll(app);
    else
      for (const module of modules)
        cpSync(here(`../node_modules/${module}`), join(app, 'node_modules', module), { recursive: true });
    writeFileSync(join(app, 'package.json'), '{ "type": "module" }');
    copyFileSync(here(consumer), join(app, consumer));
    const common = {
      noEmit: true,
      strict: true,
      skipDefaultLibCheck: true,
      target: 'ES2022',
      lib: ['ES2022', 'DOM'],
      types: [],
    };
    const options = { compilerOptions: { ...common, ...compilerOptions }, include: [consumer] };
    writeFileSync(join(app, 'tsconfig.json'), JSON.stringify(options));
  });

  afterAll(() => rmSync(app, { recursive: true, force: true }));

  test('the pack has the sources, what is built from them, and nothing else', () => {
    const sources = readdirSync(here(`../${folder}/src`), { recursive: true }).filter((path) => /\.tsx?$/.test(path));
    const built = sources.flatMap((path) =>
      ['.js', '.js.map', '.d.ts', '.d.ts.map'].map((end) => `dist/${path.replace(/\.tsx?$/, end)}`),
    );
    const documents = ['LICENSE', 'README.md', 'package.json'];
    expect(packed.toSorted()).toEqual(
      [...documents, ...sources.map((path) => `src/${path}`), ...built, ...extra].toSorted(),
    );
    expect(read('LICENSE')).toBe(readFileSync(here('../../LICENSE'), 'utf8'));
  });

  test('the source maps lead to sources in the pack', () => {
    const missing = packed
      .filter((path) => path.endsWith('.map'))
      .flatMap((path) => JSON.parse(read(path)).sources.map((source) => join(dirname(path), source)))
      .filter((source) => !packed.includes(source) && !source.includes('node_modules/idb/'));
    expect(missing).toEqual([]);
  });

  test('publint finds nothing', async () => {
    const { messages, pkg } = await publint({ pack: { tarball: new Uint8Array(readFileSync(tarball)).buffer } });
    expect(messages.map((message) => formatMessage(message, pkg))).toEqual([]);
  });

  test('attw finds nothing', async () => {
    const attw = here('node_modules/@arethetypeswrong/cli/dist/index.js');
    const options = ['--profile', 'esm-only', '--no-color', '--no-emoji'];
    expect(await faults(attw, tarball, ...options)).toBe('');
  });

  test.concurrent.each(
    compilers.flatMap((compiler) =>
      Object.entries(resolutions).map(([resolution, module]) => [compiler, resolution, module]),
    ),
  )('the types are right in TypeScript %s, resolved as %s', async (compiler, resolution, module) => {
    const folder = here(`node_modules/typescript-${compiler}`);
    const { version } = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'));
    expect(version).toMatch(new RegExp(`^${compiler}\\.`));
    const options = ['-p', app, '--moduleResolution', resolution, '--module', module];
    expect(await faults(join(folder, 'bin/tsc'), ...options)).toBe('');
  });

  test('every entry can be imported without a window', async () => {
    const entries = Object.values(JSON.parse(read('package.json')).exports).filter((entry) => entry.default);
    expect(entries.length).toBeGreaterThan(0);
    for (const { default: path } of entries) {
      const code = `console.log(Object.values(await import('./node_modules/${name}/${path}')).length)`;
      const started = execFileSync(process.execPath, ['--input-type=module', '-e', code], {
        cwd: app,
        encoding: 'utf8',
      });
      expect(Number(started)).toBeGreaterThan(0);
    }
  });

  return { folder: () => app, read };
}
