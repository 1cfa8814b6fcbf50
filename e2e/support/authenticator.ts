import type { CDPSession, Page } from '@playwright/test';

/** Passkeys with their private keys, as synced between authenticators. */
export type Passkeys = Awaited<ReturnType<Authenticator['passkeys']>>;

/** A platform authenticator that approves everything. Each page needs its own, or its ceremonies never end. */
export class Authenticator {
  readonly #cdp: CDPSession;
  readonly #id: string;

  private constructor(cdp: CDPSession, id: string) {
    this.#cdp = cdp;
    this.#id = id;
  }

  /** It would also answer a pending autofill, so autofill is disabled unless `autofill` is set. */
  static async attach(page: Page, { verifying = true, autofill = false, prf = false } = {}): Promise<Authenticator> {
    if (!autofill) {
      await page.addInitScript(() => {
        // An empty page has no passkeys.
        if (!isSecureContext) return;
        const ask = PublicKeyCredential.getClientCapabilities.bind(PublicKeyCredential);
        PublicKeyCredential.getClientCapabilities = async () => ({ ...(await ask()), conditionalGet: false });
      });
    }
    const cdp = await page.context().newCDPSession(page);
    await cdp.send('WebAuthn.enable', { enableUI: false });
    const { authenticatorId } = await cdp.send('WebAuthn.addVirtualAuthenticator', {
      options: {
        protocol: 'ctap2',
        ctap2Version: 'ctap2_1',
        transport: 'internal',
        hasResidentKey: true,
        hasUserVerification: true,
        isUserVerified: verifying,
        hasPrf: prf,
        automaticPresenceSimulation: true,
        defaultBackupEligibility: true,
        defaultBackupState: true,
      },
    });
    return new Authenticator(cdp, authenticatorId);
  }

  async remove(): Promise<void> {
    await this.#cdp.send('WebAuthn.removeVirtualAuthenticator', { authenticatorId: this.#id });
  }

  async passkeys() {
    return (await this.#cdp.send('WebAuthn.getCredentials', { authenticatorId: this.#id })).credentials;
  }

  /** Adds the passkeys as synced to the user's other device. */
  async sync(passkeys: Passkeys): Promise<void> {
    for (const credential of passkeys) {
      await this.#cdp.send('WebAuthn.addCredential', { authenticatorId: this.#id, credential });
    }
  }
}
