import { require } from './claims.ts';
import type { Context } from './context.ts';
import { HoldfastError } from './error.ts';
import { raiseMarks, readMarks } from './keyset.ts';
import { passkeysDigest, verifyPasskeys } from './passkeys.ts';
import type { ReconcileResult } from './reconcile-result.ts';
import { type Proven, type ProvenRequest, throwProblem } from './server.ts';
import { examine, type Standing } from './standing.ts';
import type { Changes, Held, Records } from './store.ts';
import { authenticateDocument, checkBinding } from './verify.ts';

/** One try: what storage held when it was made, which its answer will be compared with. */
interface Try extends ProvenRequest {
  readonly held: Held;
  readonly standing: Standing;
  /** The device's clock, before it was sent. */
  readonly at: number;
}

/**
 * Asks the server for a new document and takes the answer only if every part of it verifies. Rights change by a signed
 * document and in no other way: whatever else comes back leaves storage as it is, and rejects with what it was.
 */
export async function reconcileDevice(context: Context): Promise<ReconcileResult> {
  await context.roots();
  const asked = await context.server.prove('/v1/reconcile', () => prepare(context));
  if (!asked) return { outcome: 'sign_in_needed' };
  const { answer, sent } = asked;
  if (answer.code !== 'device_forked') throwProblem(answer);

  const changes = await verifyAnswer(context, asked);
  const taken = await context.store.update((held) =>
    held.lineage === sent.held.lineage && held.device?.id === sent.held.device?.id ? changes : null,
  );
  if (!taken) return { outcome: 'superseded' };
  // Made after the asking: the clock was ahead by no more than this.
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
  const body = { device, lineage: held.lineage, keyset_version: keyset?.version ?? 0, passkeys };
  return { key, body, held, standing, at: context.clock() };
}

/**
 * What is to be stored: an answer is good if what would be held with it passes the checks of every start, and if it
 * answers this very request. Throws the code of the first check that fails.
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
  // Valid, but made for another request, perhaps another user's: a cache on the way has kept it.
  const sound = document ?? (authority && (await authenticateDocument(texts.document, authority).catch(() => null)));
  if (sound && sound.proof !== jti) throw new HoldfastError('no_contact');
  if (!user || !device || !document || !authority) throw new HoldfastError(error ?? 'malformed');

  // The proof shows that the document was made just now, whatever this device's clock says: its iat is the time.
  if (document.iat >= authority.keyset.exp) throw new HoldfastError('keyset_expired');
  checkBinding(document, {
    device,
    // A device never goes back; what another one was told before it was linked again is no measure for it.
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

/** JSON that is not shaped like an answer was not written by the server. */
function text(value: unknown): string {
  if (typeof value !== 'string') throw new HoldfastError('no_contact');
  return value;
}
