import { Authenticator } from './support/authenticator.ts';
import { OwnApp } from './support/own-app.ts';
import { Recorder } from './support/recorder.ts';
import { Server } from './support/server.ts';
import { expect, test } from './support/test.ts';

test('acts recorded offline are judged on reconnect, each once', async ({ page }) => {
  const app = await OwnApp.serve();
  const server = await Server.launch(undefined, ['--allow-origin', app.origin]);
  try {
    await Authenticator.attach(page);
    const recorder = new Recorder(page, app, server);
    await recorder.open();
    await server.subscribe('Ada', 'premium', new Date(Date.now() + 30 * 86_400_000));
    await recorder.granted('export');

    await test.step('what was done while the server was away is accepted, in more than one batch', async () => {
      await server.stop();
      await recorder.record(120);
      expect(await recorder.upload()).toEqual({ waiting: 120, refused: 0 });
      await server.start();
      await expect.poll(() => recorder.upload()).toEqual({ waiting: 0, refused: 0 });
      const feed = await recorder.feed(120);
      expect(feed).toEqual(Array.from({ length: 120 }, (_, index) => ({ n: index + 1 })));
    });
    await test.step('what was done before a revocation that the device had not heard of is refused, and kept', async () => {
      await page.route(`${server.origin}/**`, (route) => route.abort());
      await recorder.record(2);
      await server.support('revoke', 'Ada');
      await page.unroute(`${server.origin}/**`);
      await expect.poll(() => recorder.upload()).toEqual({ waiting: 0, refused: 2 });
      expect(await recorder.refused()).toEqual(['revoked', 'revoked']);
    });
    await test.step('without the feature nothing is recorded', async () => {
      expect(await recorder.record(1).catch((error: Error) => error.message)).toContain('not_granted');
    });
  } finally {
    await server.dispose();
    app.close();
  }
});
