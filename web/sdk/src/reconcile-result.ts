import type { ErrorCode } from './error-code.ts';

/**
 * What a reconcile did. Only `reconciled` and `forked` changed anything; after all others the device holds what it held.
 *
 * - `reconciled`: a signed document was taken; `hf.entitlement` says what it grants.
 * - `forked`: the server saw two copies of this device and signed that it has no rights; signing in links it again.
 * - `no_contact`: no answer, or one that was not the server's (captive portal, proxy, 5xx, cut off).
 * - `refused`: an answer that fails verification; `code` is the verifier's.
 * - `sign_in_needed`: the server does not know this device (any more); what is held stays good until its end.
 * - `superseded`: another tab took a newer answer meanwhile; this tab shows it.
 * - `signed_out`: nobody is signed in on this device.
 * - `storage_unavailable`: the answer could not be kept, so it was not taken.
 *
 * @example
 * const result = await hf.reconcile();
 * if (result.outcome === "no_contact") note.textContent = "Offline. What you have keeps working.";
 */
export type ReconcileResult =
  | {
      readonly outcome:
        | 'reconciled'
        | 'forked'
        | 'sign_in_needed'
        | 'superseded'
        | 'signed_out'
        | 'storage_unavailable';
    }
  | { readonly outcome: 'refused'; readonly code: ErrorCode }
  | {
      readonly outcome: 'no_contact';
      /** Seconds the server asked to wait (Retry-After). */
      readonly retryAfter?: number | undefined;
    };
