import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { randomInt } from 'node:crypto';
import { rmSync } from 'node:fs';
import { appendFile, chmod, mkdtemp, readFile, rm } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import type { SigningKey } from './jws.ts';
import { Postgres } from './postgres.ts';

const binary = fileURLToPath(new URL('../../bin/holdfast', import.meta.url));

/** The bootstrap token of every server here. */
const adminToken = 'browser-tests-0123456789-0123456789-0123456789';

const run = promisify(execFile);

/** A data folder with an empty database, as a template: creating one takes ten times as long as a copy. One per worker. */
let cluster: Promise<string> | undefined;

async function makeCluster(): Promise<string> {
  const data = await makeFolder();
  process.once('exit', () => rmSync(data, { recursive: true, force: true }));
  await run(binary, ['migrate', '--data', data]);
  // Only processes are killed here, not machines, so written data survives.
  await appendFile(join(data, 'postgres', 'data', 'postgresql.conf'), 'fsync = off\nfull_page_writes = off\n');
  return data;
}

/** On a short path, since it contains PostgreSQL's socket, and one that users other than root may traverse. */
async function makeFolder(): Promise<string> {
  const data = await mkdtemp(join(tmpdir(), 'hf-'));
  await chmod(data, 0o711);
  return data;
}

/** The origin: a gateway in front, or, by its port, another name of this machine. */
type Origin = string | ((port: number) => string);

/** The real program on its own port, with its own data folder and private PostgreSQL. */
export class Server {
  readonly origin: string;
  readonly address: string;
  /** The origin of the operations listener. */
  readonly ops: string;
  /** The private cluster below the data folder. */
  readonly postgres: Postgres;
  readonly #data: string;
  #flags: readonly string[];
  #process: ChildProcess | undefined;
  #ended: Promise<number | null> = Promise.resolve(0);
  #log = '';

  private constructor(data: string, port: number, ops: number, flags: readonly string[], origin?: Origin) {
    this.#data = data;
    this.#flags = flags;
    this.ops = `http://localhost:${ops}`;
    this.postgres = new Postgres(data);
    this.address = `localhost:${port}`;
    this.origin = typeof origin === 'function' ? origin(port) : (origin ?? `http://${this.address}`);
  }

  /** Starts an empty server. With `origin`, it is behind a gateway; `flags` are additional flags of `serve`. */
  static async launch(origin?: Origin, flags: readonly string[] = []): Promise<Server> {
    const data = await makeFolder();
    cluster ??= makeCluster();
    await run('cp', ['-a', join(await cluster, 'postgres'), data]);
    const server = new Server(data, await freePort(), await freePort(), flags, origin);
    await server.start();
    return server;
  }

  async start(): Promise<void> {
    const { PATH, HOME, HOLDFAST_POSTGRES_BIN } = process.env;
    this.#process = spawn(
      binary,
      // biome-ignore format: a flag and its value
      ['serve', '--data', this.#data, '--listen', this.address, '--ops-listen', new URL(this.ops).host,
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
    await this.ready();
  }

  /** Resolves when the server is ready: after its start, and after its database went away and came back. */
  async ready(): Promise<void> {
    const deadline = Date.now() + 150_000;
    while (!(await this.#isReady())) {
      if (this.#process?.exitCode !== null || Date.now() > deadline)
        throw new Error(`The server is not ready.\n${this.#log}`);
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }

  /** Stops the process, as Ctrl-C does. */
  async stop(): Promise<void> {
    this.#process?.kill('SIGTERM');
    const code = await this.#ended;
    if (code !== 0) throw new Error(`The server ended with ${code}.\n${this.#log}`);
    this.#process = undefined;
  }

  /** Restarts it, for settings that are read only at start, or with other flags. */
  async restart(flags = this.#flags): Promise<void> {
    await this.stop();
    this.#flags = flags;
    await this.start();
  }

  /** kill -9: no request is finished, no client is notified. */
  async kill(): Promise<void> {
    this.#process?.kill('SIGKILL');
    await this.#ended;
    this.#process = undefined;
  }

  /** Resolves when the process has ended by itself; otherwise fails with its log and stack dump. */
  async ended(): Promise<void> {
    let stuck = false;
    const patience = setTimeout(() => {
      stuck = true;
      this.#process?.kill('SIGQUIT');
    }, 30_000);
    await this.#ended;
    clearTimeout(patience);
    this.#process = undefined;
    if (stuck) throw new Error(`The server did not end.\n${this.#log}`);
  }

  async dispose(): Promise<void> {
    try {
      if (this.#process) await this.stop();
    } finally {
      await rm(this.#data, { recursive: true, force: true });
    }
    const errors = this.#log.split('\n').filter((line) => line.includes('"level":"ERROR"'));
    // Without its database, nothing else is logged.
    const expected = this.postgres.harmed ? '"code":"unavailable"' : 'none';
    if (errors.some((line) => !line.includes(expected))) throw new Error(`The server logged errors.\n${this.#log}`);
  }

  /** `holdfast keys …` on the server's keys folder. */
  keys(...args: string[]): Promise<string> {
    return this.#run('keys', ...args);
  }

  /** The bearer token that `holdfast token create` prints, for the admin API. */
  async token(...scopes: string[]): Promise<string> {
    return (await this.#run('token', 'create', ...scopes.flatMap((scope) => ['--scope', scope]))).trim();
  }

  /** `holdfast staff …` on the server's database. */
  staff(...args: string[]): Promise<string> {
    return this.#run('staff', ...args);
  }

  async #run(...args: string[]): Promise<string> {
    const { stdout } = await run(binary, [...args, '--data', this.#data]);
    return stdout;
  }

  /** The signing keys according to `keys list`, newest first. */
  async signingKeys(): Promise<ListedKey[]> {
    return JSON.parse(await this.keys('list', '--json')).signing_keys;
  }

  /** Makes the running server load the keyset in its keys folder, and returns it. */
  async takeKeyset(): Promise<string> {
    const keyset = (await readFile(this.#key('keyset.jws'), 'utf8')).trim();
    this.#process?.kill('SIGHUP');
    const deadline = Date.now() + 10_000;
    while ((await this.servedKeyset()) !== keyset) {
      if (Date.now() > deadline) throw new Error(`The server did not take the keyset.\n${this.#log}`);
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    return keyset;
  }

  async servedKeyset(): Promise<string> {
    return (await fetch(`http://${this.address}/.well-known/holdfast-keyset`)).text();
  }

  /** The private key that signs documents now, for tests that forge with a stolen key. */
  async signingKey(): Promise<SigningKey> {
    const now = (await this.signingKeys()).find(({ state }) => state === 'signs');
    if (!now) throw new Error('no key signs');
    return this.#privateKey(`signing/${now.kid}.jwk`, now.kid);
  }

  /** The private key of a root, for the same purpose. */
  async rootKey(slot: 'current' | 'next' = 'current'): Promise<SigningKey> {
    const roots: ListedRoot[] = JSON.parse(await this.keys('list', '--json')).roots;
    const root = roots.find((listed) => listed.slot === slot);
    if (!root?.private_key) throw new Error(`no ${slot} root`);
    return this.#privateKey(root.private_key, root.kid);
  }

  async #privateKey(file: string, kid: string): Promise<SigningKey> {
    return { jwk: JSON.parse(await readFile(this.#key(file), 'utf8')), kid };
  }

  #key(file: string): string {
    return join(this.#data, 'keys', file);
  }

  async user(name: string): Promise<UserRecord> {
    const { users } = await this.admin<{ users: { id: string }[] }>('GET', `users?q=${encodeURIComponent(name)}`);
    if (users.length !== 1 || !users[0]) throw new Error(`${users.length} users called ${name}`);
    return this.admin('GET', `users/${users[0].id}`);
  }

  /** Acts on a user's only subscription, as support would with curl. */
  async support(action: 'revoke' | 'suspend' | 'reinstate', name: string): Promise<Revocation> {
    const { subscriptions } = await this.user(name);
    if (subscriptions.length !== 1) throw new Error(`${subscriptions.length} subscriptions of ${name}`);
    return this.admin('POST', `subscriptions/${subscriptions[0]?.id}/${action}`, { reason: 'test' });
  }

  /** Puts a plan for the trial: only Fieldbook brings one. */
  async putPlan(): Promise<void> {
    const features = { export: { offline: true }, notes: { offline: true } };
    await this.admin('PUT', 'plans/premium', { features, grace: 3 * 86_400, device_limit: 5 });
  }

  /** Gives a user a subscription paid up to a moment, as a billing system would. */
  async subscribe(name: string, plan: string, paidThrough: Date): Promise<void> {
    const { user } = await this.user(name);
    await this.admin('PUT', `subscriptions/of-${user.id}`, {
      user: user.id,
      plan,
      state: 'active',
      paid_through: paidThrough.toISOString(),
    });
  }

  /** The audit trail of a user's account and devices, newest first. */
  async trail(name: string): Promise<string[]> {
    const { user } = await this.user(name);
    const { entries } = await this.admin<{ entries: { action: string }[] }>('GET', `audit?user=${user.id}&limit=100`);
    return entries.map(({ action }) => action);
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

  async #isReady(): Promise<boolean> {
    try {
      return (await fetch(`${this.ops}/readyz`)).ok;
    } catch {
      return false;
    }
  }
}

export interface UserRecord {
  user: { id: string; name: string };
  subscriptions: { id: string; state: string; revoked: boolean; withdrawn_at: string | null }[];
  devices: { id: string; name: string; document_expires_at: string | null; quarantined: boolean; removed: boolean }[];
}

export interface ListedKey {
  kid: string;
  state: 'signs' | 'next' | 'past' | 'withdrawn' | 'unpublished';
  signs_from: string | null;
}

interface ListedRoot {
  kid: string;
  slot: 'current' | 'next';
  private_key: string | null;
}

export interface Revocation {
  offline_until: string | null;
  revision: number;
}

/**
 * A port that nothing listens on. It lies below those that the system gives to outgoing connections and to listeners
 * without a port: such a port may be taken before the server listens on it.
 */
export async function freePort(): Promise<number> {
  for (;;) {
    const port = randomInt(12_000, 32_000);
    const probe = createServer();
    const free = await new Promise<boolean>((resolve) => {
      probe.once('error', () => resolve(false));
      probe.listen(port, 'localhost', () => resolve(true));
    });
    if (!free) continue;
    await new Promise((resolve) => probe.close(resolve));
    return port;
  }
}
