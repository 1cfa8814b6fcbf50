import { expect, type Locator, type Page } from '@playwright/test';
import { Authenticator } from './authenticator.ts';
import type { Server } from './server.ts';

/** The support console as staff use it, by its visible texts. */
export class Console {
  readonly page: Page;
  readonly server: Server;

  constructor(page: Page, server: Server) {
    this.page = page;
    this.server = server;
  }

  /** Invites a staff member on the command line, as an operator does, and creates their passkey in this page. */
  async join(name: string, role: 'support' | 'admin', options: { autofill?: boolean } = {}): Promise<void> {
    await Authenticator.attach(this.page, options);
    const link = await this.server.staff('invite', '--name', name, '--role', role);
    await this.page.goto(link.trim());
    await this.page.getByRole('button', { name: 'Create passkey' }).click();
    await expect(this.page.getByRole('heading', { level: 1, name: 'Overview' })).toBeVisible();
    await this.to('Customers');
  }

  get search(): Locator {
    return this.page.getByRole('searchbox', { name: 'Search customers' });
  }

  get found(): Locator {
    return this.page.getByRole('list', { name: 'Found' }).getByRole('listitem');
  }

  /** The open dialog, other than the one for a passkey. */
  get dialog(): Locator {
    return this.page.getByRole('dialog').filter({ hasNotText: 'Is it you?' });
  }

  get confirmation(): Locator {
    return this.page.getByRole('dialog', { name: 'Is it you?' });
  }

  get toast(): Locator {
    return this.page.locator('.toast');
  }

  card(id: string): Locator {
    return this.page.locator(`section[aria-labelledby=${id}]`);
  }

  get subscription(): Locator {
    return this.page.getByRole('article', { name: /^Subscription / });
  }

  /** The progress of a revoke, device by device. */
  get holders(): Locator {
    return this.subscription.getByRole('list', { name: 'Devices with documents' }).getByRole('listitem');
  }

  async open(query: string): Promise<void> {
    await this.page.getByRole('navigation').getByRole('link', { name: 'Customers' }).click();
    await this.search.fill(query);
    await this.search.press('Enter');
    await expect(this.card('holdings')).toBeVisible();
  }

  async to(page: 'Overview' | 'Customers' | 'Gaps' | 'Audit' | 'Plans' | 'Webhooks' | 'Staff'): Promise<void> {
    await this.page.getByRole('navigation').getByRole('link', { name: page }).click();
    await expect(this.page.getByRole('heading', { level: 1, name: page })).toBeVisible();
  }

  /** Confirms the open dialog with a reason and the button of this name. */
  async answer(yes: string, reason: string): Promise<void> {
    await this.dialog.getByLabel('Reason').fill(reason);
    await this.dialog.getByRole('button', { name: yes }).click();
  }

  /** A customer without passkey, subscription or device; returns the user's id. */
  async customer(name: string, externalId: string | null = null): Promise<string> {
    const made = await this.server.admin<{ user: { id: string } }>('POST', 'users', {
      name,
      external_id: externalId,
      reason: 'a test',
    });
    return made.user.id;
  }

  /** Makes the last passkey tap old. */
  async age(name: string, span: string): Promise<void> {
    await this.server.postgres.run(
      `UPDATE sessions SET authenticated_at = authenticated_at - interval '${span}'
        WHERE user_id IN (SELECT id FROM users WHERE name = '${name}')`,
    );
  }
}
