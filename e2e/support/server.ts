import { type ChildProcess, execFile, spawn } from 'node:child_process';
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

/** A data folder with an empty database, to be copied: to make one takes ten times as long. One for each worker. */
let cluster: Promise<string> | undefined;

async function makeCluster(): Promise<string> {
  const data = await makeFolder();
  process.once('exit', () => rmSync(data, { recursive: true, force: true }));
  await run(binary, ['migrate', '--data', data]);
  // Processes are killed here, no machine is: what a process has written is there.
  await appendFile(join(data, 'postgres', 'data', 'postgresql.conf'), 'fsync = off\nfull_page_writes = off\n');
  return data;
}

/** On a short path, since the socket of PostgreSQL lies in it, and one that another user than root may pass through. */
async function makeFolder(): Promise<string> {
  const data = await mkdtemp(join(tmpdir(), 'hf-'));
  await chmod(data, 0o711);
  return data;
}

/** Where a gateway before it is, or, by its port, under which other name of this machine. */
type Origin = string | ((port: number) => string);

/** The real program on its own port, with a data folder and a private PostgreSQL of its own. */
export class Server {
  readonly origin: string;
  readonly address: string;
  /** The private cluster below the data folder. */
  readonly postgres: Postgres;
  readonly #data: string;
  readonly #ops: number;
  readonly #flags: readonly string[];
  #process: ChildProcess | undefined;
  #ended: Promise<number | null> = Promise.resolve(0);
  #log = '';

  private constructor(data: string, port: number, ops: number, flags: readonly string[], origin?: Origin) {
    this.#data = data;
    this.#flags = flags;
    this.#ops = ops;
    this.postgres = new Postgres(data);
    this.address = `localhost:${port}`;
    this.origin = typeof origin === 'function' ? origin(port) : (origin ?? `http://${this.address}`);
  }

  /** Starts a server with nothing in it. With `origin`, it is one behind a gateway; `flags` are further ones of `serve`. */
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
    await this.ready();
  }

  /** Resolves when the server can serve: after its start, and after its database went away and came back. */
  async ready(): Promise<void> {
    const deadline = Date.now() + 30_000;
    while (!(await this.#isReady())) {
      if (this.#process?.exitCode !== null || Date.now() > deadline)
        throw new Error(`The server is not ready.\n${this.#log}`);
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

  /** As an operator restarts it, for what it reads only at its start. */
  async restart(): Promise<void> {
    await this.stop();
    await this.start();
  }

  /** kill -9: nothing is finished, nothing is said to anybody. */
  async kill(): Promise<void> {
    this.#process?.kill('SIGKILL');
    await this.#ended;
    this.#process = undefined;
  }

  /** Resolves when the process has ended by itself; where it does not, fails with what it was doing. */
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
    // Without its database there is nothing else to say.
    const expected = this.postgres.harmed ? '"code":"unavailable"' : 'none';
    if (errors.some((line) => !line.includes(expected))) throw new Error(`The server logged errors.\n${this.#log}`);
  }

  /** `holdfast keys …` on the server's keys folder. */
  keys(...args: string[]): Promise<string> {
    return this.#run('keys', ...args);
  }

  /** `holdfast staff …` on the server's database. */
  staff(...args: string[]): Promise<string> {
    return this.#run('staff', ...args);
  }

  async #run(...args: string[]): Promise<string> {
    const { stdout } = await run(binary, [...args, '--data', this.#data]);
    return stdout;
  }

  /** What `keys list` tells of the signing keys, the newest first. */
  async signingKeys(): Promise<ListedKey[]> {
    return JSON.parse(await this.keys('list', '--json')).signing_keys;
  }

  /** Has the running server take the keyset in its keys folder, and returns it. */
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

  /** The private key that documents are signed with now: for tests that forge what only its holder could. */
  async signingKey(): Promise<SigningKey> {
    const now = (await this.signingKeys()).find(({ state }) => state === 'signs');
    if (!now) throw new Error('no key signs');
    return this.#privateKey(`signing/${now.kid}.jwk`, now.kid);
  }

  /** The private key of a root: likewise. */
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

  /** Does something to the one subscription of a user, as support would with curl. */
  async support(action: 'revoke' | 'suspend' | 'reinstate', name: string): Promise<Revocation> {
    const { subscriptions } = await this.user(name);
    if (subscriptions.length !== 1) throw new Error(`${subscriptions.length} subscriptions of ${name}`);
    return this.admin('POST', `subscriptions/${subscriptions[0]?.id}/${action}`, { reason: 'test' });
  }

  /** Gives a user a subscription that is paid up to a moment, as a billing system would. */
  async subscribe(name: string, plan: string, paidThrough: Date): Promise<void> {
    const { user } = await this.user(name);
    await this.admin('PUT', `subscriptions/of-${user.id}`, {
      user: user.id,
      plan,
      state: 'active',
      paid_through: paidThrough.toISOString(),
    });
  }

  /** What the trail says was done to a user's account and devices, the newest first. */
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
      return (await fetch(`http://localhost:${this.#ops}/readyz`)).ok;
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

export async function freePort(): Promise<number> {
  const probe = createServer();
  await new Promise<void>((resolve) => probe.listen(0, 'localhost', resolve));
  const address = probe.address();
  await new Promise((resolve) => probe.close(resolve));
  if (address === null || typeof address === 'string') throw new Error('no port');
  return address.port;
}
