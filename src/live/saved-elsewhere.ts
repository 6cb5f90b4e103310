import { weightOf, type Entry } from '../protocol/entry';
import type { Saver } from './saver';

/** What waits for the store while another instance saves the session: it weighs the same here, or it would be bounded nowhere (EO10). */
export class SavedElsewhere {
  readonly #saver: Pick<Saver, 'weigh'>;
  #waiting: Array<{ readonly seq: number; readonly bytes: number }> = [];

  constructor(saver: Pick<Saver, 'weigh'>) {
    this.#saver = saver;
  }

  add(entry: Entry): void {
    const bytes = weightOf(entry);
    this.#waiting.push({ seq: entry.seq, bytes });
    this.#saver.weigh(bytes);
  }

  /** Everything up to here is saved; or is not waited for any more. */
  remove(upToSeq = Number.POSITIVE_INFINITY): void {
    const left = this.#waiting.findIndex(({ seq }) => seq > upToSeq);
    const gone = this.#waiting.splice(0, left < 0 ? this.#waiting.length : left);
    this.#saver.weigh(-gone.reduce((sum, { bytes }) => sum + bytes, 0));
  }
}
