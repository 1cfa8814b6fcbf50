import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { cp, readdir, readFile, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const built = fileURLToPath(new URL('../../web/dist', import.meta.url));

/** Copies the built app into a folder, for `serve --app`. */
export async function copyApp(folder: string): Promise<void> {
  await cp(built, folder, { recursive: true });
}

/**
 * Turns the app in a folder into the next release: its page says so in a `meta` element, and its scripts have other contents
 * and names, as after any change to the sources.
 */
export async function release(folder: string, name: string): Promise<void> {
  const assets = await readdir(join(folder, 'assets'));
  const renamed = new Map(assets.map((asset) => [asset, asset.replace(/\.(?=\w+$)/, `-${name}.`)]));
  const edit = async (path: string, change: (text: string) => string = (text) => text) => {
    let text = await readFile(join(folder, path), 'utf8');
    for (const [from, to] of renamed) text = text.replaceAll(from, to);
    await writeFile(join(folder, path), change(text));
  };
  for (const [from, to] of renamed) {
    await edit(join('assets', from), (text) => `${text}\n/* ${name} */`);
    await rename(join(folder, 'assets', from), join(folder, 'assets', to));
  }
  await edit('index.html', (page) => page.replace('<head>', `<head><meta name="release" content="${name}">`));
  await edit('sw.js', (worker) => {
    const hash = createHash('sha256')
      .update(readFileSync(join(folder, 'index.html')))
      .digest('base64');
    const entry = /"integrity":"[^"]+","revision":"\w+","url":"\/"/;
    const changed = worker.replace(entry, `"integrity":"sha256-${hash}","revision":"${name}","url":"/"`);
    if (changed === worker) throw new Error('sw.js does not precache the page');
    return changed;
  });
}
