import { HoldfastError } from '../base/error.ts';
import type { JsonObject } from '../base/strict-json.ts';
import { type Proven, type ProvenRequest, throwProblem } from '../server/server.ts';
import type { Context } from '../state/context.ts';
import type { Batch } from '../state/ledger-part.ts';
import { examine, type Standing } from '../state/standing.ts';
import type { Changes, Held, Records } from '../storage/store.ts';
import { require } from '../verify/claims.ts';
import { raiseMarks, readMarks } from '../verify/keyset.ts';
import { passkeysDigest, verifyPasskeys } from '../verify/passkeys.ts';
import { authenticateDocument, checkBinding } from '../verify/verify.ts';
import type { ReconcileResult } from './reconcile-result.ts';

/** One try, with the contents of storage when it was made, which its answer is compared with. */
interface Try extends ProvenRequest {
  readonly body: JsonObject;
  readonly batch: Batch | null;
  readonly held: Held;
  readonly standing: Standing;
  /** The device's clock, before it was sent. */
  readonly at: number;
}

/**
 * Asks the server for a new document and stores the answer only if every part of it verifies. Only a signed document changes
 * rights: any other answer leaves storage unchanged and rejects with its code.
 */
export async function reconcileDevice(context: Context): Promise<ReconcileResult> {
  await context.roots();
  const ask = () => context.server.prove('/v1/reconcile', () => prepare(context));
  let asked = await ask();
  if (asked?.sent.batch?.isRefused(asked.answer)) asked = await ask();
  if (!asked) return { outcome: 'sign_in_needed' };
  const { answer, sent } = asked;
  if (answer.code !== 'device_forked') throwProblem(answer);

  const changes = await verifyAnswer(context, asked);
  const { batch } = sent;
  const taken = await context.store.update(
    (held, transaction) =>
      held.lineage === sent.held.lineage && held.device?.id === sent.held.device?.id
        ? { ...changes, ...batch?.take(held, answer.body, transaction) }
        : null,
    batch ? ['state', 'ledger'] : undefined,
  );
  if (!taken) return { outcome: 'superseded' };
  batch?.taken();
  // The document was made after the request, so the clock was ahead by no more than this.
  context.ahead = sent.at - changes.time.mark;
  return { outcome: answer.code === null ? 'reconciled' : 'forked' };
}

/** Every try reads the lineage again: another tab may have advanced it since the last one. */
async function prepare(context: Context): Promise<Try | null> {
  const held = await context.store.read();
  const standing = await examine(held, context);
  const { user, device, key, keyset } = standing;
  if (!user || !device || !key || typeof held.lineage !== 'string') return null;
  const { origin, rpId } = context;
  const expected = keyset && { keyset, issuer: origin, audience: origin, sub: user.id, device, rpId };
  const passkeys = expected ? await passkeysDigest(held.passkeys ?? '', expected) : undefined;
  const batch = (await context.ledger?.batch(held, key)) ?? null;
  const body = { device, lineage: held.lineage, keyset_version: keyset?.version ?? 0, passkeys, ledger: batch?.jws };
  return { key, body, batch, held, standing, at: context.clock() };
}

/**
 * Returns the changes to store. An answer is valid if the resulting storage passes the checks of every start and if it
 * answers this request. Throws the code of the first check that fails.
 */
async function verifyAnswer(
  context: Context,
  { answer: { body, code }, sent: { held, standing }, jti }: Proven<Try>,
): Promise<Changes & Pick<Records, 'time'>> {
  const lineage = code === null ? body.lineage : held.lineage;
  const texts = { document: text(body.document), lineage: text(lineage), keyset: text(body.keyset ?? held.keyset) };
  const { origin, rpId } = context;
  const { user, device, document, keyset, error } = await examine({ ...held, ...texts }, context);
  const authority = keyset && { keyset, issuer: origin, audience: origin };
  // A valid document for another request, perhaps another user's, comes from a cache on the way.
  const sound = document ?? (authority && (await authenticateDocument(texts.document, authority).catch(() => null)));
  if (sound && sound.proof !== jti) throw new HoldfastError('no_contact');
  if (!user || !device || !document || !authority) throw new HoldfastError(error ?? 'malformed');

  // The proof shows that the document is new whatever this device's clock says, so its iat is the current time.
  if (document.iat >= authority.keyset.exp) throw new HoldfastError('keyset_expired');
  checkBinding(document, {
    device,
    // A device's revision never goes back. The revision of the device before a new linking does not count.
    minRevision: standing.document?.device === device ? standing.document.rev : 0,
  });
  const passkeys = text(body.passkeys ?? held.passkeys);
  const { exp } = await verifyPasskeys(passkeys, { ...authority, sub: user.id, device, rpId });
  require(exp >= document.exp, 'exp');
  return {
    ...texts,
    passkeys,
    time: { mark: document.iat * 1000 },
    former: undefined,
    marks: raiseMarks(readMarks(held.marks), authority.keyset.mark, await context.roots()),
  };
}

/** JSON of another shape does not come from the server. */
function text(value: unknown): string {
  if (typeof value !== 'string') throw new HoldfastError('no_contact');
  return value;
}
