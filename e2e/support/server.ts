import { type ChildProcess, spawn } from 'node:child_process';
import { chmod, mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const binary = fileURLToPath(new URL('../../bin/holdfast', import.meta.url));

/** The bootstrap token of every server here. */
const adminToken = 'browser-tests-0123456789-0123456789-0123456789';

/** The real program on its own port, with a data folder and a private PostgreSQL of its own. */
export class Server {
  readonly origin: string;
  readonly address: string;
  readonly #data: string;
  readonly #ops: number;
  readonly #flags: readonly string[];
  #process: ChildProcess | undefined;
  #ended: Promise<number | null> = Promise.resolve(0);
  #log = '';

  private constructor(data: string, port: number, ops: number, flags: readonly string[], origin?: string) {
    this.#data = data;
    this.#flags = flags;
    this.#ops = ops;
    this.address = `localhost:${port}`;
    this.origin = origin ?? `http://${this.address}`;
  }

  /** Starts a server with nothing in it. With `origin`, it is one behind a gateway; `flags` are further ones of `serve`. */
  static async launch(origin?: string, flags: readonly string[] = []): Promise<Server> {
    // A short path, since the socket of PostgreSQL lies in it, and one that another user than root may pass through.
    const data = await mkdtemp(join(tmpdir(), 'hf-'));
    await chmod(data, 0o711);
    const server = new Server(data, await freePort(), await freePort(), flags, origin);
    await server.start();
    return server;
  }

  async start(): Promise<void> {
    const { PATH, HOME, HOLDFAST_POSTGRES_BIN } = process.env;
    this.#process = spawn(
      binary,
      // biome-ignore format: a flag and its value
      ['serve', '--data', this.#data, '--listen', this.address, '--ops-listen', `localhost:${this.#ops}`,
        '--origin', this.origin, ...this.#flags],
      {
        env: { PATH, HOME, ...(HOLDFAST_POSTGRES_BIN && { HOLDFAST_POSTGRES_BIN }), HOLDFAST_ADMIN_TOKEN: adminToken },
        stdio: ['ignore', 'pipe', 'pipe'],
      },
    );
    const started = this.#process;
    this.#ended = new Promise((resolve, reject) => {
      started.once('exit', resolve);
      started.once('error', reject);
    });
    for (const stream of [started.stdout, started.stderr]) stream?.on('data', (text) => (this.#log += text));
    const deadline = Date.now() + 30_000;
    while (!(await this.#ready())) {
      if (started.exitCode !== null || Date.now() > deadline)
        throw new Error(`The server did not start.\n${this.#log}`);
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }

  /** Really ends the process, as Ctrl-C does. */
  async stop(): Promise<void> {
    this.#process?.kill('SIGTERM');
    const code = await this.#ended;
    if (code !== 0) throw new Error(`The server ended with ${code}.\n${this.#log}`);
    this.#process = undefined;
  }

  async dispose(): Promise<void> {
    try {
      if (this.#process) await this.stop();
    } finally {
      await rm(this.#data, { recursive: true, force: true });
    }
    if (/"level":"ERROR"/.test(this.#log)) throw new Error(`The server logged errors.\n${this.#log}`);
  }

  /** The private key that documents are signed with now: for tests that forge what only its holder could. */
  async signingKey(): Promise<{ jwk: JsonWebKey; kid: string }> {
    const folder = join(this.#data, 'keys', 'signing');
    const [file] = await readdir(folder);
    if (!file) throw new Error('no signing key');
    return { jwk: JSON.parse(await readFile(join(folder, file), 'utf8')), kid: file.replace(/\.jwk$/, '') };
  }

  async user(name: string): Promise<UserRecord> {
    const { users } = await this.admin<{ users: { id: string }[] }>('GET', `users?q=${encodeURIComponent(name)}`);
    if (users.length !== 1 || !users[0]) throw new Error(`${users.length} users called ${name}`);
    return this.admin('GET', `users/${users[0].id}`);
  }

  /** Does something to the one subscription of a user, as support would with curl. */
  async support(action: 'revoke' | 'suspend' | 'reinstate', name: string): Promise<Revocation> {
    const { subscriptions } = await this.user(name);
    if (subscriptions.length !== 1) throw new Error(`${subscriptions.length} subscriptions of ${name}`);
    return this.admin('POST', `subscriptions/${subscriptions[0]?.id}/${action}`, { reason: 'test' });
  }

  async admin<T>(method: string, path: string, body?: unknown): Promise<T> {
    const answer = await fetch(`http://${this.address}/admin/v1/${path}`, {
      method,
      headers: {
        Authorization: `Bearer ${adminToken}`,
        ...(body !== undefined && { 'Content-Type': 'application/json' }),
      },
      ...(body !== undefined && { body: JSON.stringify(body) }),
    });
    if (!answer.ok) throw new Error(`${method} ${path}: ${answer.status} ${await answer.text()}`);
    return (await answer.json()) as T;
  }

  async #ready(): Promise<boolean> {
    try {
      return (await fetch(`http://localhost:${this.#ops}/readyz`)).ok;
    } catch {
      return false;
    }
  }
}

export interface UserRecord {
  user: { id: string; name: string };
  subscriptions: { id: string; state: string; revoked: boolean }[];
  devices: { id: string; name: string; document_expires_at: string | null }[];
}

export interface Revocation {
  offline_until: string | null;
  revision: number;
}

export async function freePort(): Promise<number> {
  const probe = createServer();
  await new Promise<void>((resolve) => probe.listen(0, 'localhost', resolve));
  const address = probe.address();
  await new Promise((resolve) => probe.close(resolve));
  if (address === null || typeof address === 'string') throw new Error('no port');
  return address.port;
}
