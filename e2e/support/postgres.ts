import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';

/** A server's private PostgreSQL, for database failures. */
export class Postgres {
  /** Whether a test has killed one of its processes. */
  harmed = false;
  readonly #data: string;

  constructor(data: string) {
    this.#data = data;
  }

  /** Kills all of it: kill -9 of the first process ends the others too. */
  async kill(): Promise<void> {
    this.#kill(await this.#first());
  }

  /**
   * Kills one of the server's connections with kill -9: PostgreSQL then ends all of them, recovers as after a crash, and
   * continues. Waits for a connection while PostgreSQL is still recovering.
   */
  async crash(): Promise<void> {
    const first = await this.#first();
    for (const deadline = Date.now() + 30_000; Date.now() < deadline; ) {
      const { stdout } = await promisify(execFile)('ps', ['-e', '-o', 'pid=,ppid=,args=']);
      const connection = stdout.split('\n').find((line) => {
        const [, parent, ...args] = line.trim().split(/\s+/);
        return Number(parent) === first && args.includes('holdfast_runtime');
      });
      if (connection && this.#kill(Number.parseInt(connection, 10))) return;
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    throw new Error('The server has opened no connection to PostgreSQL within 30 seconds.');
  }

  /** Moves a time into the past that a test cannot wait for. */
  async run(statement: string): Promise<void> {
    const [, , , port = '', socket = ''] = (await readFile(this.#pidFile(), 'utf8')).split('\n');
    const where = ['-h', socket, '-p', port, '-U', 'holdfast_owner', '-d', 'holdfast'];
    await promisify(execFile)('psql', [...where, '-v', 'ON_ERROR_STOP=1', '-qc', statement]);
  }

  /** False: the process has already ended. */
  #kill(pid: number): boolean {
    this.harmed = true;
    try {
      return process.kill(pid, 'SIGKILL');
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ESRCH') return false;
      throw error;
    }
  }

  async #first(): Promise<number> {
    return Number.parseInt(await readFile(this.#pidFile(), 'utf8'), 10);
  }

  #pidFile(): string {
    return join(this.#data, 'postgres', 'data', 'postmaster.pid');
  }
}
