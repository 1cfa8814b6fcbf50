/**
 * The guard for Express, Connect and `node:http`.
 *
 * @packageDocumentation
 */
import type { IncomingMessage, ServerResponse } from 'node:http';
import { keepGrant } from './grants.ts';
import { Guard, type GuardedRequest, type GuardOptions, type Verdict } from './guard.ts';
import { guardedRequest } from './node-request.ts';

export { grantOf } from './grants.ts';
export type { Grant, GuardOptions } from './guard.ts';

/** A middleware. */
export type ExpressHandler = (
  request: IncomingMessage & { readonly originalUrl?: string },
  response: ServerResponse,
  next: (error?: unknown) => void,
) => Promise<void>;

/** See {@link holdfast}. */
export interface ExpressGuard {
  /** Rejects with the reason if the guard cannot work. */
  ready(): Promise<void>;
  /** A middleware that passes devices whose document has the feature. */
  requireFeature(feature: string): ExpressHandler;
  /** A middleware that passes every linked device. */
  authenticate(): ExpressHandler;
}

/**
 * Makes a guard.
 *
 * @example
 * const guard = holdfast({ issuer: "https://app.example.com", origin: "https://api.example.com", roots });
 * app.post("/export", guard.requireFeature("export"), (request, response) => response.send(grantOf(request).user));
 */
export function holdfast(options: GuardOptions): ExpressGuard {
  const guard = new Guard(options);
  return {
    ready: () => guard.ready(),
    requireFeature: (feature) => handler((request) => guard.requireFeature(request, feature)),
    authenticate: () => handler((request) => guard.authenticate(request)),
  };
}

function handler(judge: (request: GuardedRequest) => Promise<Verdict>): ExpressHandler {
  return async (request, response, next) => {
    try {
      const verdict = await judge(guardedRequest(request, request.originalUrl ?? request.url ?? ''));
      for (const [name, value] of Object.entries(verdict.headers)) response.setHeader(name, value);
      if (verdict.ok) {
        keepGrant(request, verdict.grant);
        return next();
      }
      response.statusCode = verdict.status;
      response.end(verdict.body);
    } catch (error) {
      next(error);
    }
  };
}
