import type { Timers } from './timers';

/** Share of the time a token has left after which a new one is asked for: a failed attempt leaves time for another. */
const RENEW_AT = 4 / 5;
/** So little is not worth an attempt; the server ends the connection, and the next one gets a fresh token. */
const SHORTEST_MS = 1_000;
/** What a timer can hold. */
const LONGEST_TIMER_MS = 2_147_483_647;

interface RenewalOptions {
  readonly timers: Timers;
  /** Shows a fresh token on the connection there is; answers how long that one lasts, null where it does not end. */
  readonly renew: () => Promise<number | null>;
}

/** Keeps a connection beyond the end of its token by showing a new one in time. */
export class Renewal {
  readonly #options: RenewalOptions;
  #cancel = (): void => {};
  /** Tells the connection of now from earlier ones. */
  #round = 0;

  constructor(options: RenewalOptions) {
    this.#options = options;
  }

  /** The connection ends in so many milliseconds. */
  expiresIn(ms: number): void {
    this.stop();
    if (ms < SHORTEST_MS) return;
    const { timers } = this.#options;
    const endsAtMs = timers.now() + ms;
    const round = this.#round;
    this.#cancel = timers.after(Math.min(ms * RENEW_AT, LONGEST_TIMER_MS), () => {
      this.#options.renew().then(
        (nextMs) => {
          if (round === this.#round && nextMs !== null) this.expiresIn(nextMs);
        },
        () => {
          // Whatever went wrong may be over before the token is.
          if (round === this.#round) this.expiresIn(endsAtMs - timers.now());
        },
      );
    });
  }

  /** The connection is gone. */
  stop(): void {
    this.#round += 1;
    this.#cancel();
    this.#cancel = () => {};
  }
}
