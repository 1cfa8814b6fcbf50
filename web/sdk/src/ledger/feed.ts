import { HoldfastError } from '../base/error.ts';
import { Retry, realChance } from '../reconcile/retry.ts';
import { type ProvenRequest, throwProblem } from '../server/server.ts';
import { examine } from '../state/standing.ts';
import type { State } from '../state/state.ts';
import type { EntryKey, LedgerRecord } from '../storage/ledger-record.ts';
import type { Changes, Held, Transaction } from '../storage/store.ts';
import { type Action, readAction } from './action.ts';
import type { ActionsOptions } from './ledger.ts';
import { count, readRecord } from './record.ts';

/** The number of actions that are asked for at a time. */
const limit = 100;

/** The range of the wait after a first failure. */
const first = 10_000;

/** The shortest wait after a failure, in milliseconds. */
const least = 1_000;

const names: ('state' | 'ledger')[] = ['state', 'ledger'];

/** Feed reads the user's accepted acts from the server, and keeps how far the app has taken them. */
export class Feed {
  readonly #state: State;
  #waiting: (() => void)[] = [];

  constructor(state: State) {
    this.#state = state;
  }

  /** There may be new actions, contact, or another user. */
  wake(): void {
    for (const resume of this.#waiting.splice(0)) resume();
  }

  async *follow({ signal }: ActionsOptions): AsyncIterableIterator<Action> {
    const retry = new Retry(first, realChance);
    const { store } = this.#state.context;
    let { cursor, user } = readRecord(await this.#held());
    for (;;) {
      const news = this.#next(signal);
      if (signal?.aborted) return;
      this.#state.demandOpen();
      let failed = false;
      try {
        const { actions, record } = await this.#ask(cursor);
        if (record.user !== user) {
          ({ cursor, user } = record);
          continue;
        }
        retry.succeeded();
        const taken: Action[] = [];
        try {
          for (const action of actions) {
            yield action;
            taken.push(action);
            cursor = action.position;
          }
        } finally {
          if (taken.length > 0)
            await store.update((held, transaction) => advance(held, user, taken, transaction), names);
        }
        if (actions.length > 0) continue;
      } catch (error) {
        if (!(error instanceof HoldfastError) || !isPassing(error)) throw error;
        retry.failed(error.retryAfter);
        failed = true;
      }
      await news(failed ? retry : undefined);
    }
  }

  /** Begins to listen before the server is asked, so that no news is missed. After a failure, news shortens the wait. */
  #next(signal?: AbortSignal): (retry?: Retry) => Promise<void> {
    let end = () => {};
    const ended = new Promise<void>((resolve) => {
      end = resolve;
    });
    signal?.addEventListener('abort', () => end(), { once: true });
    const news = new Promise<void>((resolve) => this.#waiting.push(resolve));
    return async (retry) => {
      const again = retry && Promise.all([Promise.race([news, sleep(retry.wait)]), sleep(retry.barred + least)]);
      await Promise.race([again ?? news, ended]);
    };
  }

  async #held() {
    this.#state.demandOpen();
    return this.#state.context.store.read();
  }

  /** With a proof: a user who returns after weeks has no session. */
  async #ask(cursor: number): Promise<{ actions: Action[]; record: LedgerRecord }> {
    const { context } = this.#state;
    let record: LedgerRecord | undefined;
    const prepare = async (): Promise<ProvenRequest> => {
      const held = await this.#held();
      const { key, user } = await examine(held, context);
      if (!user) throw new HoldfastError('signed_out');
      if (!key) throw new HoldfastError('device_unknown');
      record = readRecord(held);
      return { key };
    };
    const asked = await context.server.prove(`/v1/actions?after=${cursor}&limit=${limit}`, prepare);
    if (!asked || !record) throw new HoldfastError('device_unknown');
    throwProblem(asked.answer);
    const { actions } = asked.answer.body;
    // JSON of another shape does not come from the server.
    if (!Array.isArray(actions)) throw new HoldfastError('no_contact');
    const { devices } = record;
    return { record, actions: actions.map((each) => readAction(each, devices)).filter((action) => action !== null) };
  }
}

/**
 * Counts each action once, whichever pages follow the feed. Acts of this installation are counted by their verdicts, except
 * those that were refused and that support has let in since: they are refused no more.
 */
async function advance(
  held: Held,
  user: string,
  taken: readonly Action[],
  transaction: Transaction,
): Promise<Changes | null> {
  const record = readRecord(held);
  if (record.user !== user) return null;
  const entries = transaction.objectStore('ledger');
  let { accepted, cursor } = record;
  for (const { position, device, seq, feature, own } of taken) {
    if (position <= cursor) continue;
    cursor = position;
    const refused: EntryKey = [user, 1, device, seq];
    const letIn = own && (await entries.count(refused)) > 0;
    if (letIn) entries.delete(refused).catch(() => {});
    if (!own || letIn) accepted = count(accepted, feature, 1);
  }
  return { ledger: { ...record, accepted, cursor } };
}

const sleep = (milliseconds: number) => new Promise<void>((resolve) => setTimeout(resolve, milliseconds));

/** Whether the same request may succeed later. */
function isPassing({ code, status = 0 }: HoldfastError): boolean {
  return code === 'no_contact' || code === 'storage_unavailable' || status === 429 || status >= 500;
}
