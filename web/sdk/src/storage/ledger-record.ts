/**
 * The key of a stored act: the user, 0 while it waits and 1 once it was refused, the device, and its number in the device's
 * chain.
 */
export type EntryKey = [user: string, refused: 0 | 1, device: string, seq: number];

/** A stored act: the exact text that the chain's hashes cover, and the reason if it was refused. */
export interface KeptEntry {
  readonly text: string;
  readonly code?: string;
}

/** A device's knowledge of its user's acts. */
export interface LedgerRecord {
  readonly user: string;
  readonly device: string;
  /** The last act of the device's chain; 0: none. */
  readonly seq: number;
  /** The hash of the last act; null: none. */
  readonly hash: string | null;
  /** The number of acts of this device that wait, by feature. */
  readonly waiting: Readonly<Record<string, number>>;
  /** The least number of the user's acts that were accepted, by feature. */
  readonly accepted: Readonly<Record<string, number>>;
  /** The devices that this installation has been: their acts are counted by their verdicts, those of others by the feed. */
  readonly devices: readonly string[];
  /** The position in the feed up to which the app has taken all actions. */
  readonly cursor: number;
}

/**
 * The acts recorded on this device, at one moment.
 *
 * @example
 * const { waiting = 0, oldest } = hf.ledger ?? {};
 * if (oldest) note.textContent = `${waiting} changes wait since ${oldest.toLocaleString()}`;
 */
export interface LedgerStatus {
  /** The number of acts that wait for the server's verdict. */
  readonly waiting: number;
  /** When the oldest waiting act was recorded, by this device's clock; null: none waits. */
  readonly oldest: Date | null;
  /** The number of acts that were refused, and are kept until the user drops them. */
  readonly refused: number;
  /**
   * Why the server takes no acts from this device at present, or null. They are kept, and sent again after an hour or a
   * reload.
   */
  readonly problem: LedgerProblem | null;
}

/**
 * A refusal that is no verdict.
 *
 * @example
 * if (hf.ledger?.problem) report(hf.ledger.problem.code);
 */
export interface LedgerProblem {
  /** The server's code, such as `chain`. */
  readonly code: string;
  /** The first act that was not taken; null: the whole batch. */
  readonly seq: number | null;
}
