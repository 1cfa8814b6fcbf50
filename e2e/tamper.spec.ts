import { generateKeyPairSync } from 'node:crypto';
import { Fieldbook } from './support/fieldbook.ts';
import { type Answer, withMembers } from './support/gateway.ts';
import { type Claims, claimsOf, signed, withClaims } from './support/jws.ts';
import { expect, test, watch } from './support/test.ts';

/** A key that is in no keyset. */
function foreignKey() {
  return {
    jwk: generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey.export({ format: 'jwk' }),
    kid: 'foreign',
  };
}

test.describe('a document put into storage by hand', () => {
  test.beforeEach(async ({ fieldbook }) => {
    await fieldbook.open();
    await fieldbook.createAccount('Ada');
    await fieldbook.write('Kept', 'Still here');
    await fieldbook.startTrial();
    await fieldbook.installed();
  });

  /** Reloads without the server, so that no reconcile repairs storage. */
  async function expectRefused(fieldbook: Fieldbook, code: string) {
    await fieldbook.page.reload();
    await fieldbook.expectWithoutPremium('Connect to see what you have');
    await expect(fieldbook.plan).toContainText(`(${code})`);
    expect(await fieldbook.read('Kept')).toBe('Still here');
  }

  test('with a later end is refused, and a reconcile replaces it', async ({ fieldbook, server }) => {
    const document = await fieldbook.held<string>('document');
    await server.stop();
    await fieldbook.forge('document', withClaims(document, { exp: claimsOf(document).exp + 365 * 86_400 }));
    await expectRefused(fieldbook, 'signature_invalid');

    await server.start();
    await fieldbook.toAccount();
    expect(await fieldbook.checkNow()).toBe('Up to date.');
    await fieldbook.expectPremium();
  });

  test('signed by an unknown key is refused', async ({ fieldbook, server }) => {
    const document = await fieldbook.held<string>('document');
    await server.stop();
    await fieldbook.forge('document', signed(claimsOf(document), foreignKey()));
    await expectRefused(fieldbook, 'key_unknown');
  });

  test("of the same user's other device is refused", async ({ fieldbook, server, browser }) => {
    const context = await browser.newContext();
    const other = await fieldbook.openOn(await context.newPage());
    await other.signIn();
    await other.write('Elsewhere', '');
    await other.toAccount();
    await other.expectPremium();
    const document = await other.held<string>('document');
    await context.close();
    await server.stop();
    await fieldbook.forge('document', document);
    await expectRefused(fieldbook, 'device_mismatch');
  });

  test('of another user is refused', async ({ fieldbook, server, browser }) => {
    const context = await browser.newContext();
    const other = new Fieldbook(await context.newPage(), server.origin);
    await other.open();
    await other.createAccount('Grace');
    await other.write('Elsewhere', '');
    await other.startTrial();
    const document = await other.held<string>('document');
    await context.close();
    await server.stop();
    await fieldbook.forge('document', document);
    await expectRefused(fieldbook, 'subject_mismatch');
  });
});

test.describe('an answer to another request', () => {
  test('is refused with its own code, and premium stays', async ({ page, gateway }) => {
    const troubles = await watch(page.context(), page);
    const fieldbook = new Fieldbook(page, gateway.server.origin);
    await fieldbook.open();
    await fieldbook.createAccount('Ada');
    await fieldbook.write('Kept', '');
    await fieldbook.startTrial();
    const key = await gateway.server.signingKey();

    const withDocument = (answer: Answer, document: (given: string) => string): Answer =>
      withMembers(answer, (body) => ({ document: document(body.document ?? '') }));
    const withSignedClaims = (change: (claims: Claims) => Partial<Claims>) => (answer: Answer) =>
      withDocument(answer, (given) => signed({ ...claimsOf(given), ...change(claimsOf(given)) }, key));

    const expectRefused = async (code: string) => {
      const before = await fieldbook.held<string>('document');
      expect(await fieldbook.checkNow()).toContain(`(${code})`);
      await fieldbook.expectPremium();
      expect(await fieldbook.held<string>('document')).toBe(before);
    };

    let earlier: Answer | undefined;
    gateway.meddling = (answer) => {
      earlier = answer;
      return answer;
    };
    expect(await fieldbook.checkNow()).toBe('Up to date.');

    await test.step('an earlier answer, unchanged', async () => {
      gateway.meddling = () => earlier ?? null;
      const before = await fieldbook.held<string>('document');
      expect(await fieldbook.checkNow()).toContain('The server cannot be reached');
      await fieldbook.expectPremium();
      expect(await fieldbook.held<string>('document')).toBe(before);
    });
    await test.step('a lower revision', async () => {
      gateway.meddling = withSignedClaims(({ rev }) => ({ rev: rev - 1 }));
      await expectRefused('revision_rollback');
    });
    await test.step('another device', async () => {
      gateway.meddling = withSignedClaims(() => ({ device: '00000000-0000-4000-8000-000000000000' }));
      await expectRefused('device_mismatch');
    });
    await test.step('another issuer', async () => {
      gateway.meddling = withSignedClaims(() => ({ iss: 'https://elsewhere.example' }));
      await expectRefused('issuer_mismatch');
    });
    await test.step('an unknown key', async () => {
      gateway.meddling = (answer) => withDocument(answer, (given) => signed(claimsOf(given), foreignKey()));
      await expectRefused('key_unknown');
    });
    await test.step('an edited document', async () => {
      gateway.meddling = (answer) => withDocument(answer, (given) => withClaims(given, { features: {} }));
      await expectRefused('signature_invalid');
    });

    // None of these answers has harmed the device.
    gateway.meddling = null;
    expect(await fieldbook.checkNow()).toBe('Up to date.');
    await fieldbook.expectPremium();
    expect(troubles()).toEqual([]);
  });
});
