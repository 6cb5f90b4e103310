import { randomBytes } from 'node:crypto';
import type { Clock } from '../lib/clock';
import { type AwarenessState, changeText, type Member, memberText, stateText } from './neighbour-messages';

/** Enough that no two have the same. */
const TELLER_BYTES = 9;
/** A message ends beyond this, and the next one goes on; the largest single state is a quarter of it. */
const MAX_MESSAGE_BYTES = 65_536;

/** What there is to tell: the members and states of this instance. */
export interface Here {
  readonly members: ReadonlyMap<string, Member>;
  readonly states: ReadonlyMap<string, AwarenessState>;
}

interface TellingOptions {
  readonly here: Here;
  readonly clock: Clock;
  /** Least time between two messages. */
  readonly intervalMs: number;
  /** The interval widens so that no more than this is told. */
  readonly bytesPerSecond: number;
  readonly tell: (message: string) => void;
}

/** Ids of what has to be told; first come, first told. */
class Due {
  readonly #ids = new Set<string>();
  /** Those of them that were there when everything was to be told anew. */
  readonly #anew = new Set<string>();

  get size(): number {
    return this.#ids.size;
  }

  get isToldAnew(): boolean {
    return this.#anew.size === 0;
  }

  add(id: string): void {
    this.#ids.add(id);
  }

  addAnew(id: string): void {
    this.#ids.add(id);
    this.#anew.add(id);
  }

  /** Up to so many bytes of what is here now, as JSON; and who is not here any more. */
  take<Item>(here: ReadonlyMap<string, Item>, textOf: (item: Item) => string, maxBytes: number) {
    const found: string[] = [];
    const missing: string[] = [];
    let bytes = 0;
    for (const id of this.#ids) {
      if (bytes >= maxBytes) break;
      this.#ids.delete(id);
      this.#anew.delete(id);
      const item = here.get(id);
      const text = item ? textOf(item) : JSON.stringify(id);
      (item ? found : missing).push(text);
      bytes += text.length;
    }
    return { found, missing, bytes };
  }
}

/** Tells neighbours, numbered and coalesced, what is another one here: one message per interval, however many have moved. */
export class Telling {
  /** Who tells: this instance, in this session, from its first member to its last. */
  readonly from = randomBytes(TELLER_BYTES).toString('base64url');
  readonly #options: TellingOptions;
  readonly #members = new Due();
  readonly #states = new Due();
  #isAnewDue = false;
  #number = 0;
  #cancel: (() => void) | undefined;

  constructor(options: TellingOptions) {
    this.#options = options;
  }

  /** How much was told. */
  get number(): number {
    return this.#number;
  }

  memberChanged(connectionId: string): void {
    this.#members.add(connectionId);
    this.#schedule();
  }

  stateChanged(awarenessId: string): void {
    this.#states.add(awarenessId);
    this.#schedule();
  }

  /** Everything there is, as if nothing had been told. */
  anew(): void {
    const { members, states } = this.#options.here;
    for (const connectionId of members.keys()) this.#members.addAnew(connectionId);
    for (const awarenessId of states.keys()) this.#states.addAnew(awarenessId);
    this.#isAnewDue = true;
    this.#schedule();
  }

  stop(): void {
    this.#cancel?.();
    this.#cancel = undefined;
  }

  /** The first change after quiet is told at once, further ones with the next message. */
  #schedule(): void {
    const isDue = this.#isAnewDue || this.#members.size + this.#states.size > 0;
    if (isDue && !this.#cancel) this.#flush();
  }

  #flush(): void {
    const { here, clock, intervalMs, bytesPerSecond, tell } = this.#options;
    const members = this.#members.take(here.members, memberText, MAX_MESSAGE_BYTES);
    const states = this.#states.take(here.states, stateText, MAX_MESSAGE_BYTES - members.bytes);
    this.#number += 1;
    const text = changeText(
      {
        from: this.from,
        number: this.#number,
        isAnew: this.#isAnewDue,
        isWhole: this.#members.isToldAnew && this.#states.isToldAnew,
      },
      { members: members.found, left: members.missing, states: states.found, gone: states.missing },
    );
    this.#isAnewDue = false;
    tell(text);
    this.#cancel = clock.after(Math.max(intervalMs, (text.length / bytesPerSecond) * 1_000), () => {
      this.#cancel = undefined;
      this.#schedule();
    });
  }
}
