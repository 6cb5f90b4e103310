import type { Clock } from '../lib/clock';
import type { Participant } from '../protocol/schemas';

/** People do not watch arrivals more closely than this. */
const INTERVAL_MS = 50;

/** Tells the participants of a session who came and who left, coalesced. */
export class Roster {
  readonly #clock: Clock;
  readonly #send: (change: { joined: Participant[]; left: Participant[] }) => void;
  readonly #joined = new Map<string, Participant>();
  readonly #left = new Map<string, Participant>();
  #cancel: (() => void) | undefined;

  constructor(clock: Clock, send: (change: { joined: Participant[]; left: Participant[] }) => void) {
    this.#clock = clock;
    this.#send = send;
  }

  joined(participant: Participant): void {
    this.#left.delete(participant.connectionId);
    this.#joined.set(participant.connectionId, participant);
    this.#schedule();
  }

  left(participant: Participant): void {
    // Also who came only since the last frame: somebody may have joined in between and been told that they are here.
    this.#joined.delete(participant.connectionId);
    this.#left.set(participant.connectionId, participant);
    this.#schedule();
  }

  stop(): void {
    this.#cancel?.();
    this.#cancel = undefined;
  }

  #schedule(): void {
    this.#cancel ??= this.#clock.after(INTERVAL_MS, () => {
      this.#cancel = undefined;
      if (this.#joined.size + this.#left.size === 0) return;
      this.#send({ joined: [...this.#joined.values()], left: [...this.#left.values()] });
      this.#joined.clear();
      this.#left.clear();
    });
  }
}
