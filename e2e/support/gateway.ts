import { createServer, type Server as HttpServer, type IncomingMessage, request, type ServerResponse } from 'node:http';
import { Server } from './server.ts';

export interface Answer {
  status: number;
  headers: Record<string, string | string[] | undefined>;
  body: Buffer;
}

/** What becomes of an answer to a reconcile; null: the connection is cut in the middle of it. */
export type Meddling = (answer: Answer) => Answer | null;

/** The network between browser and server, where everything but reconciles passes untouched. */
export class Gateway {
  readonly server: Server;
  /** What came through, in order: `POST /v1/reconcile`. */
  readonly requests: string[] = [];
  /** Null: reconciles pass untouched too. */
  meddling: Meddling | null = null;
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

  async dispose(): Promise<void> {
    this.#http.closeAllConnections();
    await new Promise((resolve) => this.#http.close(resolve));
    await this.server.dispose();
  }

  private async pass(incoming: IncomingMessage, outgoing: ServerResponse): Promise<void> {
    try {
      this.requests.push(`${incoming.method} ${incoming.url}`);
      if (incoming.url === '/v1/events') {
        this.#stream(incoming, outgoing);
        return;
      }
      const body = await collect(incoming);
      const meddle = incoming.url === '/v1/reconcile' ? this.meddling : null;
      let answer: Answer | null = await this.#forward(incoming, body);
      if (meddle && answer.status !== 401) answer = meddle(answer);
      if (answer === null) {
        outgoing.writeHead(200, { 'Content-Type': 'application/json', 'Content-Length': '5000' });
        outgoing.write('{"document":"');
        setTimeout(() => outgoing.destroy(), 20);
        return;
      }
      const { 'transfer-encoding': _, connection: __, ...headers } = answer.headers;
      outgoing.writeHead(answer.status, { ...headers, 'content-length': String(answer.body.length) });
      outgoing.end(answer.body);
    } catch {
      outgoing.destroy();
    }
  }

  /** An answer that does not end is passed on as it comes. */
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

  #forward(incoming: IncomingMessage, body: Buffer): Promise<Answer> {
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
      outgoing.end(body);
    });
  }
}

async function collect(stream: AsyncIterable<unknown>): Promise<Buffer> {
  const parts: Buffer[] = [];
  for await (const part of stream) parts.push(part as Buffer);
  return Buffer.concat(parts);
}
