import { HoldfastError } from './error.ts';
import type { ErrorCode } from './error-code.ts';
import type { ReconcileResult } from './reconcile-result.ts';

/** What only a passkey tap mends: a device that is not linked, here or there, or a session that linking needs. */
const mendedByTap: readonly ErrorCode[] = [
  'device_key_unavailable',
  'device_unknown',
  // All that is asked with comes from storage: what the server cannot read there was damaged.
  'invalid_request',
  'lineage_invalid',
  'unauthenticated',
  'reauthentication_required',
  'device_limit',
  'conflict',
];

/**
 * A reconcile's failure as its result. A problem document is not signed: it says what to do next, and changes nothing;
 * one that asks for nothing in particular is no contact. Throws what is no {@link HoldfastError}.
 */
export function failedReconcile(error: unknown): ReconcileResult {
  if (!(error instanceof HoldfastError)) throw error;
  const { code, status, retryAfter } = error;
  if (mendedByTap.includes(code)) return { outcome: 'sign_in_needed' };
  if (status !== undefined || code === 'no_contact') return { outcome: 'no_contact', retryAfter };
  if (code === 'storage_unavailable' || code === 'signed_out') return { outcome: code };
  return { outcome: 'refused', code };
}
