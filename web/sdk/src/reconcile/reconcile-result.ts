import type { ErrorCode } from '../base/error-code.ts';

/**
 * The outcome of a reconcile. Only `reconciled` and `forked` change anything; all others leave the held document as it was.
 *
 * - `reconciled`: a signed document was taken; `hf.entitlement` says what it grants.
 * - `forked`: the server saw two copies of this device and signed a document without rights; signing in links it again.
 * - `no_contact`: no answer, or one that was not the server's (captive portal, proxy, 5xx, cut off).
 * - `refused`: an answer that fails verification; `code` is the verifier's reason.
 * - `sign_in_needed`: the server does not know this device, or no longer does; the held document stays valid until its end.
 * - `superseded`: another tab has taken a newer answer, which this tab shows.
 * - `signed_out`: nobody is signed in on this device.
 * - `storage_unavailable`: the answer could not be stored, so it was not taken.
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
      /** The seconds to wait before the next try (Retry-After). */
      readonly retryAfter?: number | undefined;
    };
