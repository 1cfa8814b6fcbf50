import { createServer, type Server as HttpServer, type IncomingMessage, request, type ServerResponse } from 'node:http';
import { Server } from './server.ts';

export interface Answer {
  status: number;
  headers: Record<string, string | string[] | undefined>;
  body: Buffer;
}

/** Changes an answer; null: cuts the connection in the middle of it. */
export type Meddling = (answer: Answer) => Answer | null;

/** Replaces some members of a JSON answer. */
export function withMembers(answer: Answer, change: (body: Record<string, string>) => object): Answer {
  const body = JSON.parse(answer.body.toString('utf8'));
  return { ...answer, body: Buffer.from(JSON.stringify({ ...body, ...change(body) })) };
}

/**
 * The stages of a request: the browser has sent it; the server has received all of it; the server has answered; the browser
 * has been sent all of the answer.
 */
export type Stage = 'asked' | 'forwarded' | 'answered' | 'passed on';

/** A reconcile request in transit. */
export interface Passage {
  readonly stage: Stage;
  /** 'worker': the service worker; otherwise the page of that name in the header X-Page. */
  readonly asker: string;
  /** The status of the answer; null: none yet. */
  readonly status: number | null;
}

/** The network between browser and server, which passes everything unchanged by default. */
export class Gateway {
  server: Server;
  /** The requests in order: `POST /v1/reconcile`. */
  readonly requests: string[] = [];
  /** The change of answers to reconciles. */
  meddling: Meddling | null = null;
  /** The same for other paths. */
  readonly meddlings = new Map<string, Meddling>();
  /** Called for every reconcile at each stage. The request or answer is held until it resolves. */
  watch: ((passage: Passage) => Promise<void> | void) | null = null;
  /** Answers everything instead of the server; one that never answers simulates a hanging network. */
  instead: ((outgoing: ServerResponse) => void) | null = null;
  #down = false;
  readonly #http: HttpServer;

  private constructor(server: Server, http: HttpServer) {
    this.server = server;
    this.#http = http;
  }

  static async launch(): Promise<Gateway> {
    let gateway: Gateway | undefined;
    const http = createServer((incoming, outgoing) => void gateway?.pass(incoming, outgoing));
    await new Promise<void>((resolve) => http.listen(0, 'localhost', resolve));
    const address = http.address();
    if (address === null || typeof address === 'string') throw new Error('no port');
    gateway = new Gateway(await Server.launch(`http://localhost:${address.port}`), http);
    return gateway;
  }

  /** While it is down, nothing passes: the browser is offline. */
  set down(down: boolean) {
    this.#down = down;
    if (down) this.#http.closeAllConnections();
  }

  /** Switches to another installation at the same address: other keys, an empty database. */
  async reinstall(): Promise<void> {
    await this.server.dispose();
    this.server = await Server.launch(this.server.origin);
  }

  async dispose(): Promise<void> {
    this.#http.closeAllConnections();
    await new Promise((resolve) => this.#http.close(resolve));
    await this.server.dispose();
  }

  private async pass(incoming: IncomingMessage, outgoing: ServerResponse): Promise<void> {
    try {
      if (this.#down) throw new Error('down');
      this.requests.push(`${incoming.method} ${incoming.url}`);
      if (this.instead) {
        this.instead(outgoing);
        return;
      }
      if (incoming.url === '/v1/events') {
        this.#stream(incoming, outgoing);
        return;
      }
      const body = await collect(incoming);
      const path = incoming.url ?? '';
      const reconcile = path === '/v1/reconcile';
      const asker = incoming.headers.referer?.endsWith('/sw.js') ? 'worker' : String(incoming.headers['x-page']);
      const report = async (stage: Stage, status: number | null = null) => {
        if (reconcile) await this.watch?.({ stage, asker, status });
      };

      await report('asked');
      let answer: Answer | null = await this.#forward(incoming, body, () => void report('forwarded'));
      await report('answered', answer.status);
      // A demand for another nonce is not an answer to the request.
      const meddle = reconcile ? this.meddling : this.meddlings.get(path);
      if (meddle && answer.status !== 401) answer = meddle(answer);
      if (answer === null) {
        outgoing.writeHead(200, { 'Content-Type': 'application/json', 'Content-Length': '5000' });
        outgoing.write('{"document":"');
        setTimeout(() => outgoing.destroy(), 20);
        return;
      }
      const { 'transfer-encoding': _, connection: __, ...headers } = answer.headers;
      outgoing.writeHead(answer.status, { ...headers, 'content-length': String(answer.body.length) });
      const { status, body: text } = answer;
      outgoing.end(text, () => void report('passed on', status));
    } catch {
      outgoing.destroy();
    }
  }

  /** An answer that does not end is streamed. */
  #stream(incoming: IncomingMessage, outgoing: ServerResponse): void {
    const passing = request(
      `http://${this.server.address}${incoming.url}`,
      { method: incoming.method, headers: { ...incoming.headers, 'accept-encoding': 'identity' } },
      (answer) => {
        outgoing.writeHead(answer.statusCode ?? 0, answer.headers);
        outgoing.flushHeaders();
        answer.pipe(outgoing);
        answer.on('error', () => outgoing.destroy());
      },
    );
    passing.on('error', () => outgoing.destroy());
    outgoing.on('close', () => passing.destroy());
    passing.end();
  }

  #forward(incoming: IncomingMessage, body: Buffer, forwarded: () => void): Promise<Answer> {
    return new Promise((resolve, reject) => {
      const outgoing = request(
        `http://${this.server.address}${incoming.url}`,
        { method: incoming.method, headers: { ...incoming.headers, 'accept-encoding': 'identity' } },
        (answer) => {
          collect(answer).then(
            (body) => resolve({ status: answer.statusCode ?? 0, headers: answer.headers, body }),
            reject,
          );
        },
      );
      outgoing.on('error', reject);
      outgoing.end(body, forwarded);
    });
  }
}

async function collect(stream: AsyncIterable<unknown>): Promise<Buffer> {
  const parts: Buffer[] = [];
  for await (const part of stream) parts.push(part as Buffer);
  return Buffer.concat(parts);
}
