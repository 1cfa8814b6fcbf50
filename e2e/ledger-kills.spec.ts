import { createHash } from 'node:crypto';
import { Authenticator } from './support/authenticator.ts';
import { Chance } from './support/chance.ts';
import { OwnApp } from './support/own-app.ts';
import { Recorder } from './support/recorder.ts';
import { Server } from './support/server.ts';
import { expect, test } from './support/test.ts';

const [kills, acts] = process.env.HOLDFAST_DRILLS === 'full' ? [20, 2_000] : [3, 400];

/** An entry as the host sees it. */
interface Stored {
  id: string;
  seq: number;
  position: number | null;
  verdict: string;
}

test(`${kills} kills of the server and PostgreSQL while ${acts} acts go up lose and double none`, async ({ page }) => {
  test.setTimeout(180_000 + kills * 30_000);
  const chance = new Chance();
  console.log(`HOLDFAST_SEED=${chance.seed} repeats the choices of this drill`);
  const app = await OwnApp.serve();
  const server = await Server.launch(undefined, ['--allow-origin', app.origin]);
  try {
    await Authenticator.attach(page);
    const recorder = new Recorder(page, app, server);
    await recorder.open();
    await server.subscribe('Ada', 'premium', new Date(Date.now() + 30 * 86_400_000));
    await recorder.granted('export');

    // Requests pass while the network is up: until one that carries acts has passed, or all of them.
    let [up, whole, sent] = [false, false, () => {}];
    await page.route(`${server.origin}/v1/reconcile`, (route) => {
      if (!up) return route.abort();
      if (!whole && route.request().postDataJSON()?.ledger) {
        up = false;
        sent();
      }
      return route.continue();
    });
    /** Lets one batch through. A reconcile that follows one without an answer carries none. */
    const one = async (meanwhile: () => Promise<void>) => {
      const passed = new Promise<void>((resolve) => {
        sent = resolve;
      });
      up = true;
      const uploading = (async () => {
        while (up) await recorder.upload();
      })();
      await passed;
      await meanwhile();
      await uploading;
    };
    const verdicts = new Set<string>();
    let answered = () => {};
    page.on('response', async (response) => {
      if (!response.url().endsWith('/v1/reconcile')) return;
      const body = await response.json().catch(() => null); // cut off by a kill
      for (const { seq, verdict } of body?.verdicts ?? []) {
        verdicts.add(`${seq} ${verdict}`);
      }
      answered();
    });

    await recorder.record(acts);
    const texts = await recorder.waiting();
    expect(texts.length).toBe(acts);
    const hashes = texts.map((text) => createHash('sha256').update(text).digest('base64url'));

    let duration = 0;
    await one(async () => {
      const begun = performance.now();
      await new Promise<void>((resolve) => {
        answered = resolve;
      });
      duration = performance.now() - begun;
    });
    for (let kill = 1; kill <= kills; kill++) {
      await test.step(`kill ${kill}`, async () => {
        await one(async () => {
          await new Promise((resolve) => setTimeout(resolve, chance.number() * duration));
          await server.postgres.kill();
          await server.kill();
        });
        await server.start();
      });
    }
    const left = (await recorder.waiting()).length;
    console.log(`${left} of ${acts} acts are left after ${kills} kills; a batch took ${duration.toFixed(0)} ms`);
    expect(left).toBeGreaterThan(0);
    [up, whole] = [true, true];
    await expect.poll(() => recorder.upload()).toEqual({ waiting: 0, refused: 0 });

    const { user } = await server.user('Ada');
    const stored = async () => {
      const all: Stored[] = [];
      for (let after: string | null = ''; after !== null; ) {
        const from: string = after && `&cursor=${after}`;
        const page = await server.admin<{ entries: Stored[]; next: string | null }>(
          'GET',
          `users/${user.id}/ledger?limit=100${from}`,
        );
        all.push(...page.entries);
        after = page.next;
      }
      return all
        .sort((a, b) => a.seq - b.seq)
        .map(({ id, seq, position, verdict }) => ({ id, seq, position, verdict }));
    };
    const expected = hashes.map((id, at) => ({ id, seq: at + 1, position: at + 1, verdict: 'accepted' }));
    expect(await stored()).toEqual(expected);
    await expect.poll(() => [...verdicts].sort()).toEqual(expected.map(({ seq }) => `${seq} accepted`).sort());
    expect(await recorder.feed(acts)).toEqual(Array.from({ length: acts }, (_, at) => ({ n: at + 1 })));
    const { devices } = await server.user('Ada');
    expect(devices).toMatchObject([{ quarantined: false }]);

    await test.step('acts sent again have the same verdicts, and are stored once', async () => {
      verdicts.clear();
      await recorder.forgetVerdicts(texts.slice(0, 50));
      const same = expected.slice(0, 50).map(({ seq }) => `${seq} accepted`);
      const repeated = async () => {
        await recorder.upload();
        return [...verdicts].sort();
      };
      await expect.poll(repeated).toEqual(same.sort());
      expect(await stored()).toEqual(expected);
    });
  } finally {
    await server.dispose();
    app.close();
  }
});
