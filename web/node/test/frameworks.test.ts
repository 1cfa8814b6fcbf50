import { createServer, type Server } from 'node:http';
import { serve } from '@hono/node-server';
import express from 'express';
import fastify, { type FastifyInstance } from 'fastify';
import { Hono } from 'hono';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import * as forExpress from '../src/express.ts';
import * as forFastify from '../src/fastify.ts';
import * as forHono from '../src/hono.ts';
import { listen, origin, send, World } from './support/world.ts';

let world: World;
beforeAll(async () => {
  world = await World.begin();
});
afterAll(() => world.end());

/** A program with POST /v1/export for a feature and GET /v1/me for everybody, each below a mounted router. */
type App = () => Promise<{ port: number; close: () => unknown }>;

const apps: Record<string, App> = {
  async express() {
    const guard = forExpress.holdfast(world.options);
    const router = express.Router();
    router.post('/export', guard.requireFeature('export'), (request, response) => {
      response.send(forExpress.grantOf(request).user);
    });
    router.get('/me', guard.authenticate(), (request, response) => {
      response.send(forExpress.grantOf(request).user);
    });
    const app = express().use('/v1', router);
    const server = createServer(app);
    return { port: await listen(server), close: () => server.close() };
  },
  async fastify() {
    const guard = forFastify.holdfast(world.options);
    const app = fastify();
    const routes = async (scope: FastifyInstance) => {
      scope.post(
        '/export',
        { onRequest: guard.requireFeature('export') },
        async (request) => forFastify.grantOf(request).user,
      );
      scope.get('/me', { preHandler: guard.authenticate() }, async (request) => forFastify.grantOf(request).user);
    };
    await app.register(routes, { prefix: '/v1' });
    await app.listen({ port: 0, host: '127.0.0.1' });
    return { port: (app.server.address() as { port: number }).port, close: () => app.close() };
  },
  async hono() {
    const guard = forHono.holdfast(world.options);
    const routes = new Hono()
      .post('/export', guard.requireFeature('export'), (context) => context.text(forHono.grantOf(context).user))
      .get('/me', guard.authenticate(), (context) => context.text(forHono.grantOf(context).user));
    const app = new Hono().route('/v1', routes);
    return new Promise((resolve) => {
      const server = serve({ fetch: app.fetch, port: 0, hostname: '127.0.0.1' }, ({ port }) =>
        resolve({ port, close: () => (server as Server).close() }),
      );
    });
  },
};

describe.each(Object.entries(apps))('%s', (_, start) => {
  let app: { port: number; close: () => unknown };
  beforeAll(async () => {
    app = await start();
  });
  afterAll(() => app.close());

  const path = '/v1/export?page=2';
  const nonce = async () => String((await send(app.port, 'POST', path, [])).headers['dpop-nonce']);
  const prove = async (document: string, changes = {}) =>
    world.prove(document, await nonce(), { htu: `${origin}/v1/export`, ...changes });

  it('passes a device with the feature, below a mounted path', async () => {
    const document = await world.document();
    const answer = await send(app.port, 'POST', path, [
      'Authorization',
      `DPoP ${document}`,
      'DPoP',
      await prove(document),
    ]);
    expect(answer).toMatchObject({
      status: 200,
      text: 'ada',
      headers: { 'dpop-nonce': expect.stringMatching(/^.{43}$/) },
    });
  });

  it('authenticates a device without the feature, and refuses it the feature', async () => {
    const document = await world.document({ features: {} });
    const credentials = ['Authorization', `DPoP ${document}`, 'DPoP'];
    const me = await prove(document, { htm: 'GET', htu: `${origin}/v1/me` });
    expect(await send(app.port, 'GET', '/v1/me', [...credentials, me])).toMatchObject({ status: 200, text: 'ada' });
    const refused = await send(app.port, 'POST', path, [...credentials, await prove(document)]);
    expect(refused).toMatchObject({ status: 403, text: 'forbidden' });
    expect(refused.headers['www-authenticate']).toBe('DPoP error="insufficient_scope", algs="ES256"');
  });

  it('refuses a request without credentials as RFC 9449 says', async () => {
    expect(await send(app.port, 'POST', path, [])).toMatchObject({
      status: 401,
      text: 'unauthenticated',
      headers: {
        'content-type': expect.stringMatching(/^application\/problem\+json/),
        'www-authenticate': 'DPoP algs="ES256"',
        'cache-control': 'no-store',
        'dpop-nonce': expect.any(String),
      },
    });
  });

  it('refuses headers that were sent twice, whatever the framework makes of them', async () => {
    const document = await world.document();
    const [one, two] = [await prove(document), await prove(document)];
    const authorization = ['Authorization', `DPoP ${document}`];
    const twice = await send(app.port, 'POST', path, [...authorization, ...authorization, 'DPoP', one]);
    expect(twice).toMatchObject({ status: 401, text: 'unauthenticated' });
    const proofs = await send(app.port, 'POST', path, [...authorization, 'DPoP', one, 'DPoP', two]);
    expect(proofs).toMatchObject({ status: 401, text: 'invalid_dpop_proof' });
  });

  it('refuses headers that are too large', async () => {
    const huge = 'A'.repeat(20_000);
    expect(await send(app.port, 'POST', path, ['Authorization', `DPoP ${huge}`])).toMatchObject({ status: 431 });
    const proof = await send(app.port, 'POST', path, ['Authorization', 'DPoP a', 'DPoP', huge.slice(0, 10_000)]);
    expect(proof).toMatchObject({ status: 401, text: 'invalid_dpop_proof' });
  });

  it('answers 503 while the keys cannot be had', async () => {
    const document = await world.document();
    const proof = await prove(document);
    world.down = true;
    world.now += 600_000;
    try {
      const late = await prove(document);
      for (const with_ of [late, proof]) {
        const answer = await send(app.port, 'POST', path, ['Authorization', `DPoP ${document}`, 'DPoP', with_]);
        expect(answer.text).toBe(with_ === late ? 'unavailable' : 'use_dpop_nonce');
        if (with_ === late) expect(answer).toMatchObject({ status: 503, headers: { 'retry-after': '1' } });
      }
    } finally {
      world.down = false;
      world.now -= 600_000;
    }
  });
});
