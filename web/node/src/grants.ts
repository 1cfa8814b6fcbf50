import type { Grant } from './guard.ts';

const grants = new WeakMap<object, Grant>();

/** Keeps the grant for the framework's own object: Express' and Fastify's request, Hono's context. */
export function keepGrant(request: object, grant: Grant): void {
  grants.set(request, grant);
}

/**
 * The grant of a request that has passed a guard: Express' or Fastify's request, or Hono's context. Throws if it has not.
 *
 * @example
 * app.get("/me", guard.authenticate(), (request, response) => response.json({ user: grantOf(request).user }));
 */
export function grantOf(request: object): Grant {
  const grant = grants.get(request);
  if (!grant) throw new TypeError('no guard has let this request pass');
  return grant;
}
