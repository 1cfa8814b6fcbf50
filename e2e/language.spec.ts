import type { Page, TestInfo } from '@playwright/test';
import { Authenticator } from './support/authenticator.ts';
import { Fieldbook } from './support/fieldbook.ts';
import { look, phone } from './support/looks.ts';
import type { Server } from './support/server.ts';
import { expect, test, watch } from './support/test.ts';

/** The app by its places, since its texts are in another language here. */
async function enter(fieldbook: Fieldbook): Promise<void> {
  const { page } = fieldbook;
  await page.locator('input[name=name]').fill('Ada');
  await page.locator('.threshold-card form button').click();
  await expect(page.locator('.notebook')).toBeVisible();
}

async function goTo(page: Page, place: 'account' | 'security', awaited: string): Promise<void> {
  await page.evaluate((place) => {
    location.hash = `#/${place}`;
  }, place);
  await expect(page.locator(awaited).first()).toBeVisible();
}

const devices = '[aria-labelledby=devices] li';
const passkeys = '[aria-labelledby=passkeys] li';

test.describe('German', () => {
  test.use({ locale: 'de-AT', viewport: phone });

  test('is spoken to those who read it, also offline, until they choose English', async ({
    fieldbook,
    page,
    server,
  }, info) => {
    test.slow();
    await fieldbook.open();
    await expect(
      page.getByRole('heading', { name: 'Notizen, die da sind, wenn das Netz es nicht ist.' }),
    ).toBeVisible();
    await expect(page.getByText('Premium können Sie kostenlos testen: 14 Tage.')).toBeVisible();
    await expect(page.locator('html')).toHaveAttribute('lang', 'de');
    await look(page, info, 'de-welcome');
    await enter(fieldbook);
    await look(page, info, 'de-empty');
    await goTo(page, 'account', devices);
    await look(page, info, 'de-account-free');
    await page.getByRole('button', { name: 'Kostenlos testen: 14 Tage' }).click();
    await expect(fieldbook.headline).toHaveText('Premium ist aktiv');
    await expect(fieldbook.plan).toContainText('Sie haben unbegrenzte Notizen und Export, auch offline.');
    await look(page, info, 'de-account-premium');
    await goTo(page, 'security', passkeys);
    await look(page, info, 'de-security');

    await fieldbook.installed();
    await server.stop();
    await page.reload();
    await expect(page.getByText(/^Stand heute, \d\d:\d\d:$/)).toBeVisible();
    await look(page, info, 'de-security-offline');
    await goTo(page, 'account', devices);
    await expect(fieldbook.line).toContainText('Server nicht erreichbar. Premium bis');
    await look(page, info, 'de-account-offline');
    await server.start();
    await server.support('revoke', 'Ada');
    await fieldbook.plan.getByRole('button', { name: 'Jetzt prüfen' }).click();
    await expect(fieldbook.headline).toHaveText('Der Support hat dieses Abo beendet');
    await look(page, info, 'de-account-revoked');

    await Promise.all([page.waitForEvent('load'), page.getByLabel('Sprache').selectOption('English')]);
    await expect(fieldbook.headline).toHaveText('Support has ended this subscription');
    await page.reload();
    await expect(fieldbook.headline).toHaveText('Support has ended this subscription');
    await expect(page.locator('html')).toHaveAttribute('lang', 'en');
  });
});

test.describe('a pseudo-language, from right to left', () => {
  test.use({ locale: 'de-DE', viewport: phone });

  test('leaves no text untranslated, and nothing breaks', async ({ fieldbook, page, server }, info) => {
    test.slow();
    await speakPseudo(page);
    const check = (name: string) => checkPseudo(page, info, name);
    await fieldbook.open();
    await expect(page.getByText('⟦').first()).toBeVisible();
    await check('welcome');
    await enter(fieldbook);
    await check('empty');
    await goTo(page, 'account', devices);
    await check('account-free');
    await fieldbook.plan.locator('.primary').click();
    await expect(page.locator('.timeline')).toBeVisible();
    await check('account-premium');
    await page.locator('[aria-labelledby=storage] .actions .danger').click();
    await check('erase');
    await page.keyboard.press('Escape');
    await goTo(page, 'security', passkeys);
    await check('security');
    await server.support('revoke', 'Ada');
    await goTo(page, 'account', '.card.attention');
    await check('account-revoked');
    await page.evaluate(() => {
      location.hash = '#/new';
    });
    await expect(page.locator('.editor')).toBeVisible();
    await check('note');
    await page.evaluate(() => {
      location.hash = '#/';
    });
    await expect(page.locator('.list .callout')).toBeVisible();
    await check('list-revoked');
  });
});

test.describe('the console in German', () => {
  test.use({ locale: 'de-DE', viewport: phone });

  test('is spoken to staff who read it, until they choose English', async ({ page, server }) => {
    await page.goto(`${server.origin}/support`);
    await expect(page.getByRole('button', { name: 'Mit einem Passkey anmelden' })).toBeVisible();
    await joinByPlaces(page, server);
    await expect(page.getByRole('heading', { level: 1, name: 'Übersicht' })).toBeVisible();
    await expect(page.locator('html')).toHaveAttribute('lang', 'de');
    await page.getByRole('button', { name: 'Einstellungen' }).click();
    await Promise.all([page.waitForEvent('load'), page.getByLabel('Sprache').selectOption('English')]);
    await expect(page.getByRole('heading', { level: 1, name: 'Overview' })).toBeVisible();
    await page.reload();
    await expect(page.getByRole('heading', { level: 1, name: 'Overview' })).toBeVisible();
  });

  test('leaves no text untranslated in a pseudo-language from right to left', async ({
    page,
    server,
    browser,
  }, info) => {
    test.slow();
    const troubles = await watch(page.context(), page);
    await speakPseudo(page);
    const check = (name: string) => checkPseudo(page, info, `console-${name}`);
    await page.goto(`${server.origin}/support`);
    await expect(page.getByText('⟦').first()).toBeVisible();
    await check('sign-in');
    await joinByPlaces(page, server);
    await expect(page.locator('.console .card').first()).toBeVisible();
    await check('overview-empty');
    const elsewhere = await browser.newContext({ locale: 'en-GB' });
    const customer = new Fieldbook(await elsewhere.newPage(), server.origin);
    await customer.open();
    await customer.createAccount('Ada');
    await customer.write('First note', 'It works.');
    await customer.startTrial();
    const goTo = async (place: string, awaited: string) => {
      await page.evaluate((place) => {
        location.hash = `#/${place}`;
      }, place);
      await expect(page.locator(awaited).first()).toBeVisible();
    };
    await goTo('customers', '.found a');
    await check('customers');
    await page.locator('.found a').first().click();
    await expect(page.locator('[aria-labelledby=trail] li').first()).toBeVisible();
    await check('user');
    for (const [button, name] of [
      ['.subscription .danger', 'revoke'],
      ['[aria-labelledby=holdings] > .actions .button', 'grant'],
      ['[aria-labelledby=access] .danger', 'sign-out'],
      ['[aria-labelledby=devices] li .button', 'remove-device'],
      ['.who .button', 'settings'],
    ] as const) {
      await page.locator(button).first().click();
      await expect(page.locator('dialog[open] .ends')).toBeVisible();
      await expect(page.locator('dialog[open] .waiting')).toBeHidden();
      await check(name);
      await page.keyboard.press('Escape');
    }
    await server.support('revoke', 'Ada');
    await page.reload();
    await expect(page.locator('.reach')).toBeVisible();
    await check('revoked');
    await goTo('audit', '.trail li');
    await check('audit');
    await goTo('plans', '.rows li');
    await check('plans');
    await page.locator('.rows .button').first().click();
    await expect(page.locator('dialog[open] .features')).toBeVisible();
    await check('plan');
    await page.keyboard.press('Escape');
    await goTo('webhooks', '.card');
    await check('webhooks');
    await goTo('gaps', '.card');
    await check('gaps');
    await goTo('staff', '.rows li');
    await check('staff');
    expect(troubles()).toEqual([]);
    await elsewhere.close();
  });
});

/** Joins the console as an administrator, by the places of the page's parts. */
async function joinByPlaces(page: Page, server: Server): Promise<void> {
  await Authenticator.attach(page);
  await page.goto((await server.staff('invite', '--name', 'Grace', '--role', 'admin')).trim());
  await page.locator('.threshold-card .primary').click();
  await expect(page.locator('.console')).toBeVisible();
}

/** Replaces the German catalogue. */
async function speakPseudo(page: Page): Promise<void> {
  await page.route(/\/assets\/de-[^/]+\.js$/, async (route) => {
    const script = await (await route.fetch()).text();
    const german = await import(`data:text/javascript,${encodeURIComponent(script)}`);
    const body = `export default ${JSON.stringify(pseudo(german.default))}`;
    await route.fulfill({ contentType: 'text/javascript', body });
  });
}

async function checkPseudo(page: Page, info: TestInfo, name: string): Promise<void> {
  await page.evaluate(() => {
    document.documentElement.dir = 'rtl';
  });
  expect.soft(await untranslated(page), name).toEqual([]);
  await look(page, info, `pseudo-${name}`);
}

/** Marks every text of a compiled catalogue, and makes it longer. */
function pseudo(catalogue: Record<string, string | unknown[]>): Record<string, unknown[]> {
  const accents: Record<string, string> = { a: 'áá', e: 'éé', i: 'í', o: 'óó', u: 'ú', n: 'ñ', s: 'š' };
  const longer = (text: string) =>
    text.replace(/[aeiouns]/gi, (letter) => accents[letter] ?? (accents[letter.toLowerCase()] ?? letter).toUpperCase());
  const change = (message: unknown): unknown => {
    if (typeof message === 'string') return longer(message);
    if (!Array.isArray(message)) return message;
    return message.map((part) => {
      if (typeof part === 'string') return longer(part);
      const [name, type, options] = part;
      if (type !== 'plural') return part;
      const changed = Object.entries(options).map(([key, text]) => [key, change(text)]);
      return [name, type, Object.fromEntries(changed)];
    });
  };
  const marked = (message: string | unknown[]) => ['⟦', ...[change(message)].flat(), '⟧'];
  return Object.fromEntries(Object.entries(catalogue).map(([id, message]) => [id, marked(message)]));
}

/** The words in the page that come from no catalogue; names and dates are no words. */
function untranslated(page: Page): Promise<string[]> {
  return page.evaluate(() => {
    const days = 'heute|gestern|morgen|Montag|Dienstag|Mittwoch|Donnerstag|Freitag|Samstag|Sonntag';
    const short = 'Jan|Feb|März|Apr|Mai|Juni|Juli|Aug|Sept|Okt|Nov|Dez|MEZ|MESZ|UTC|in|vor|Tag|Tagen|min';
    const data = 'Grace|admin|premium|export|notes|trialing|aaguid|synced|test|offline|true';
    const months = 'Januar|Februar|März|April|Mai|Juni|Juli|August|September|Oktober|November|Dezember';
    const names =
      'Fieldbook|English|Deutsch|Ada|Passkey|Chrom\\w+|Headless\\w+|on|Linux|Tage|Stunden?|Minuten?|localhost';
    const known = new RegExp(`^(${days}|${months}|${short}|${data}|${names}|[kMG]B)$`);
    // What is inside of a marked text belongs to it, also in other elements: a placeholder may hold them.
    let depth = 0;
    const outside = (text: string) => {
      let rest = '';
      for (const letter of text) {
        if (letter === '⟦') depth++;
        else if (letter === '⟧') depth--;
        else if (depth === 0) rest += letter;
      }
      return rest;
    };
    const found = new Set<string>();
    const take = (text: string | null) => {
      for (const [word] of outside(text ?? '').matchAll(/\p{L}{2,}/gu))
        if (!known.test(word)) found.add(`${word}: ${text}`);
    };
    const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
    while (walker.nextNode()) {
      // Ids and other data are in code.
      if (!walker.currentNode.parentElement?.closest('script, style, noscript, code'))
        take(walker.currentNode.textContent);
    }
    for (const element of document.body.querySelectorAll('[aria-label], [placeholder], [title], [alt]')) {
      for (const name of ['aria-label', 'placeholder', 'title', 'alt']) take(element.getAttribute(name));
    }
    return [...found];
  });
}
