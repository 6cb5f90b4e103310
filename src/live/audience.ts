import type { WebSocketManager } from '../connections/websocket-manager';
import type { Clock } from '../lib/clock';
import { markOf, type Entry } from '../protocol/entry';
import type { Mark } from '../protocol/positions';
import type { Telemetry } from '../telemetry/telemetry';
import { FanOut } from './fan-out';
import { offTheChain, type History } from './history';
import type { SlowConsumers } from './slow-consumers';
import type { Tail } from './tail';

/** Looking at every buffer costs; a buffer cannot outgrow its bound by more than this share of it in between. */
const BACKLOG_CHECK_SHARE = 1 / 16;

/** A stretch of history on its way to one connection. */
export interface Page {
  readonly entries: readonly Entry[];
  /** Where the next page or the first batch continues. */
  readonly next: Mark;
  /** Not all that there is. */
  readonly more: boolean;
}

interface AudienceServices {
  readonly sockets: WebSocketManager;
  readonly clock: Clock;
  readonly telemetry: Telemetry;
  readonly slowConsumers: SlowConsumers;
  readonly limits: { readonly fanOutIntervalMs: number };
}

/** Who listens to a session on this instance: comes in by pages, then hears every batch, and is cut off when not reading. */
export class Audience {
  readonly #sessionId: string;
  readonly #services: AudienceServices;
  readonly #history: History;
  #fanOut: FanOut;
  #bytesSinceBacklogCheck = 0;

  constructor(sessionId: string, services: AudienceServices, history: History, start: { epoch: number; saved: Mark }) {
    this.#sessionId = sessionId;
    this.#services = services;
    this.#history = history;
    this.#fanOut = this.#newFanOut(start);
  }

  deliver(entry: Entry): void {
    this.#fanOut.push(entry);
  }

  saved(saved: Mark): void {
    this.#fanOut.saved(saved);
  }

  /** Tells now what would be heard in a moment: the last entries, and how far all is saved. */
  announce(): void {
    this.#fanOut.flush();
    this.#fanOut.announceSaved();
  }

  underEpoch(epoch: number): void {
    this.#fanOut.underEpoch(epoch);
  }

  /** Another history begins; what was pending of the old one is nobody's any more. */
  restartAt(start: { epoch: number; saved: Mark }): void {
    this.#fanOut.stop();
    this.#fanOut = this.#newFanOut(start);
  }

  stop(): void {
    this.#fanOut.stop();
  }

  /**
   * A page after `after` for one connection. `hand` runs in the turn in which nothing more is missing and the connection enters the
   * room (DL1), or with a page in between. `tailNow` is asked again after a read; `demandOpen` throws where the session has ended.
   */
  async page(
    { tailNow, demandOpen }: { tailNow: () => Tail; demandOpen: () => void },
    after: Mark,
    maxEntries: number,
    hand: (page: Page) => void,
  ): Promise<void> {
    const read = tailNow().covers(after.seq) ? [] : await this.#history.readPage(tailNow(), after);
    demandOpen();
    // From here on nothing awaits, so nothing can be ordered between the page and the room.
    const tail = tailNow();
    const entries = read.slice(0, maxEntries);
    const lastRead = entries[entries.length - 1];
    let next = lastRead ? markOf(lastRead) : after;
    let isComplete = false;
    if (tail.covers(next.seq)) {
      if (tail.tagAt(next.seq) !== next.tag) throw offTheChain();
      this.#fanOut.flush();
      const rest = tail.after(next.seq);
      const taken = rest.slice(0, maxEntries - entries.length);
      entries.push(...taken);
      const last = taken[taken.length - 1];
      if (last) next = markOf(last);
      isComplete = taken.length === rest.length;
    }
    hand({ entries, next, more: !isComplete });
  }

  /** Whoever has everything hears what comes next; whoever still pages would only hear it twice. */
  seat(connectionId: string, { more }: Page): void {
    const { sockets } = this.#services;
    if (more) sockets.leave(connectionId, this.#sessionId);
    else sockets.enter(connectionId, this.#sessionId);
  }

  #newFanOut(start: { epoch: number; saved: Mark }): FanOut {
    const { sockets, clock, telemetry, limits } = this.#services;
    const sessionId = this.#sessionId;
    return new FanOut(
      {
        sessionId,
        clock,
        telemetry,
        intervalMs: limits.fanOutIntervalMs,
        sendBatch: (batch, bytes) => {
          const receivers = sockets.toSessionHere(sessionId, 'operation:batch', batch);
          this.#cutSlowConsumers(bytes);
          return receivers;
        },
        sendSaved: (saved) => sockets.toSessionHere(sessionId, 'operation:saved', { sessionId, ...saved }),
      },
      start,
    );
  }

  /** DL6. */
  #cutSlowConsumers(bytesSent: number): void {
    const { sockets, slowConsumers } = this.#services;
    this.#bytesSinceBacklogCheck += bytesSent;
    if (this.#bytesSinceBacklogCheck < slowConsumers.maxUnreadBytes * BACKLOG_CHECK_SHARE) return;
    this.#bytesSinceBacklogCheck = 0;
    for (const connectionId of [...sockets.membersHere(this.#sessionId)]) slowConsumers.cutOff(connectionId);
  }
}
