export type { Feature, Roots } from '@holdfast/client/verifier';
export type { Document, DocumentCode } from './document.ts';
export { grantOf } from './grants.ts';
export {
  type Grant,
  Guard,
  type GuardedRequest,
  type GuardOptions,
  type Passed,
  type Refusal,
  type Verdict,
} from './guard.ts';
export { MemoryReplays, type ReplayStore } from './replays.ts';
