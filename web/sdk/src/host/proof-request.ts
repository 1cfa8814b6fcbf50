/**
 * A request to a back end that a guard protects.
 *
 * @example
 * const request: ProofRequest = { method: "POST", url: "https://api.example.org/export" };
 */
export interface ProofRequest {
  /** Default: GET. */
  readonly method?: string;
  /** Relative to the page; https, or http on this machine. */
  readonly url: string | URL;
  /** The nonce of the back end's last answer (DPoP-Nonce). Default: the one that `fetch` last got from there. */
  readonly nonce?: string;
  /** The exact body: the back end can compare it with the proof. Default: the proof is for any body. */
  readonly body?: string | BufferSource;
}

/** The headers that show a back end the document and that this device has it (RFC 9449 §7.1). */
export interface ProofHeaders {
  /** `DPoP` and the entitlement document. */
  readonly Authorization: string;
  /** The proof by the device's key, for one request. */
  readonly DPoP: string;
}
