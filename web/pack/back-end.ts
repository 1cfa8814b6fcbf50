// A back end that imports every entry of @holdfast/node. node.test.js compiles it against the packed package.
import { createServer } from 'node:http';
import { type Grant, Guard, MemoryReplays, type ReplayStore, type Roots, type Verdict } from '@holdfast/node';
import { type ExpressHandler, holdfast as forExpress, grantOf } from '@holdfast/node/express';
import { holdfast as forFastify } from '@holdfast/node/fastify';
import { holdfast as forHono } from '@holdfast/node/hono';

declare const roots: Roots;
const replays: ReplayStore = { add: async (id, life) => id.length < life };
const options = { issuer: 'https://app.example.com', origin: 'https://api.example.com', roots, replays };

const guard = new Guard({ ...options, replays: new MemoryReplays() });
await guard.ready();
const verdict: Verdict = await guard.requireFeature(new Request('https://api.example.com/export'), 'export');
const user: string = verdict.ok ? verdict.grant.user : verdict.code;
const limit: number | undefined = verdict.ok ? verdict.grant.document.features.notes?.limit : undefined;

const middleware: ExpressHandler = forExpress(options).requireFeature('export');
createServer((request, response) =>
  middleware(request, response, () => {
    const grant: Grant = grantOf(request);
    response.end(grant.user);
  }),
);
const hook: (...hooked: never[]) => Promise<unknown> = forFastify(options).authenticate();
const hono: (...hooked: never[]) => Promise<Response | undefined> = forHono(options).authenticate();

// @ts-expect-error the issuer is needed
new Guard({ roots });
// @ts-expect-error types are found, so that this is not any
guard.requireFeature(1);

export { hono, hook, limit, user };
