import { HoldfastError } from '../base/error.ts';
import type { ErrorCode } from '../base/error-code.ts';
import type { ReconcileResult } from './reconcile-result.ts';

/** Failures that only a passkey tap resolves: an unlinked device, here or at the server, or a session that linking needs. */
const mendedByTap: readonly ErrorCode[] = [
  'device_key_unavailable',
  'device_unknown',
  // The request comes from storage, so an unreadable request means damaged storage.
  'invalid_request',
  'lineage_invalid',
  'unauthenticated',
  'reauthentication_required',
  'device_limit',
  'conflict',
];

/**
 * Turns a reconcile's failure into its result. A problem document is not signed: it says what to do next and changes
 * nothing; one that calls for nothing in particular counts as no contact. Rethrows anything but a {@link HoldfastError}.
 */
export function failedReconcile(error: unknown): ReconcileResult {
  if (!(error instanceof HoldfastError)) throw error;
  const { code, status, retryAfter } = error;
  if (mendedByTap.includes(code)) return { outcome: 'sign_in_needed' };
  if (status !== undefined || code === 'no_contact') return { outcome: 'no_contact', retryAfter };
  if (code === 'storage_unavailable' || code === 'signed_out') return { outcome: code };
  return { outcome: 'refused', code };
}
