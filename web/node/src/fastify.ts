/**
 * The guard for Fastify.
 *
 * @packageDocumentation
 */
import type { IncomingMessage } from 'node:http';
import { keepGrant } from './grants.ts';
import { Guard, type GuardedRequest, type GuardOptions, type Verdict } from './guard.ts';
import { guardedRequest } from './node-request.ts';

export { grantOf } from './grants.ts';
export type { Grant, GuardOptions } from './guard.ts';

/** An `onRequest` or `preHandler` hook. */
export type FastifyHook = (
  request: { readonly raw: IncomingMessage; readonly originalUrl: string },
  reply: {
    code(status: number): unknown;
    headers(headers: Record<string, string>): unknown;
    send(body: string): unknown;
  },
) => Promise<unknown>;

/** See {@link holdfast}. */
export interface FastifyGuard {
  /** Rejects with the reason if the guard cannot work. */
  ready(): Promise<void>;
  /** A hook that passes devices whose document has the feature. */
  requireFeature(feature: string): FastifyHook;
  /** A hook that passes every linked device. */
  authenticate(): FastifyHook;
}

/**
 * Makes a guard.
 *
 * @example
 * const guard = holdfast({ issuer: "https://app.example.com", origin: "https://api.example.com", roots });
 * app.post("/export", { onRequest: guard.requireFeature("export") }, async (request) => grantOf(request).user);
 */
export function holdfast(options: GuardOptions): FastifyGuard {
  const guard = new Guard(options);
  return {
    ready: () => guard.ready(),
    requireFeature: (feature) => hook((request) => guard.requireFeature(request, feature)),
    authenticate: () => hook((request) => guard.authenticate(request)),
  };
}

function hook(judge: (request: GuardedRequest) => Promise<Verdict>): FastifyHook {
  return async (request, reply) => {
    const verdict = await judge(guardedRequest(request.raw, request.originalUrl));
    reply.headers({ ...verdict.headers });
    if (verdict.ok) return keepGrant(request, verdict.grant);
    reply.code(verdict.status);
    reply.send(verdict.body);
    return reply;
  };
}
