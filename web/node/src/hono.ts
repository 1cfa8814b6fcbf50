/**
 * The guard for Hono.
 *
 * @packageDocumentation
 */
import { keepGrant } from './grants.ts';
import { Guard, type GuardedRequest, type GuardOptions, type Verdict } from './guard.ts';

export { grantOf } from './grants.ts';
export type { Grant, GuardOptions } from './guard.ts';

/** A middleware. */
export type HonoMiddleware = (
  context: { readonly req: { readonly raw: Request }; header(name: string, value: string): void },
  next: () => Promise<void>,
) => Promise<Response | undefined>;

/** See {@link holdfast}. */
export interface HonoGuard {
  /** Rejects with the reason if the guard cannot work. */
  ready(): Promise<void>;
  /** A middleware that passes devices whose document has the feature. */
  requireFeature(feature: string): HonoMiddleware;
  /** A middleware that passes every linked device. */
  authenticate(): HonoMiddleware;
}

/**
 * Makes a guard.
 *
 * @example
 * const guard = holdfast({ issuer: "https://app.example.com", origin: "https://api.example.com", roots });
 * app.post("/export", guard.requireFeature("export"), (context) => context.text(grantOf(context).user));
 */
export function holdfast(options: GuardOptions): HonoGuard {
  const guard = new Guard(options);
  return {
    ready: () => guard.ready(),
    requireFeature: (feature) => middleware((request) => guard.requireFeature(request, feature)),
    authenticate: () => middleware((request) => guard.authenticate(request)),
  };
}

function middleware(judge: (request: GuardedRequest) => Promise<Verdict>): HonoMiddleware {
  return async (context, next) => {
    const verdict = await judge(context.req.raw);
    if (!verdict.ok) return new Response(verdict.body, { status: verdict.status, headers: verdict.headers });
    for (const [name, value] of Object.entries(verdict.headers)) context.header(name, value);
    keepGrant(context, verdict.grant);
    await next();
    return undefined;
  };
}
