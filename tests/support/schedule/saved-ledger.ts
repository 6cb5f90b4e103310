import type { Mark } from '../../../src/protocol/positions';
import type { Trace } from './trace';

type StoredTagAt = (seq: number) => Promise<string | null>;

/** Everything that was ever reported as saved in one session. */
export class SavedLedger {
  /** By seq: the tag that was reported, and by whom it was heard. */
  readonly marks = new Map<number, { readonly tag: string; readonly by: string }>();
  /** Operations whose author was told. */
  readonly ids = new Set<string>();
  readonly #trace: Trace;
  readonly #storedTagAt: StoredTagAt;
  readonly #checks: Array<Promise<void>> = [];

  constructor(storedTagAt: StoredTagAt, trace: Trace) {
    this.#storedTagAt = storedTagAt;
    this.#trace = trace;
  }

  reported({ seq, tag }: Mark, by: string): void {
    const known = this.marks.get(seq);
    if (known) {
      if (known.tag !== tag) {
        this.#trace.violated(
          'saved',
          `at ${seq}, ${known.by} was told that ${known.tag} is saved, ${by} that ${tag} is`,
        );
      }
      return;
    }
    this.marks.set(seq, { tag, by });
    this.#checks.push(this.#check({ seq, tag }, by));
  }

  /** The store is asked in the turn in which the report came: what is only written later was not saved. */
  async #check({ seq, tag }: Mark, by: string): Promise<void> {
    const stored = await this.#storedTagAt(seq);
    if (stored !== tag) {
      this.#trace.violated('saved', `${by} was told that ${seq} ${tag} is saved when the store had ${String(stored)}`);
    }
  }

  async settled(): Promise<void> {
    await Promise.all(this.#checks);
  }
}
