import { io, type Socket } from 'socket.io-client';
import { GENESIS, isSameMark, type Mark } from '../../../src/protocol/positions';
import type {
  Acknowledgement,
  Announcements,
  Replies,
  RequestInputs,
  RequestName,
} from '../../../src/protocol/schemas';
import type { Dice } from './dice';
import { HistoryChain } from './history-chain';
import { elapsed } from './pipe';
import type { SavedLedger } from './saved-ledger';
import type { Trace } from './trace';

/** How long the probe stays in the session before it leaves and joins anew, milliseconds. */
const STAY_MS = { least: 5, most: 60 };
const RETRY_MS = 15;

type Page = Pick<Replies['operation:catch-up'], 'entries' | 'next' | 'more'>;

/**
 * A reader without a library, on a connection straight to one instance, joining and leaving all the time. It forgives
 * nothing: the library would join again where a frame does not fit; here that is a violation.
 */
export class WireProbe {
  readonly name: string;
  readonly sessionId: string;
  readonly chain = new HistoryChain();
  readonly #ledger: SavedLedger;
  readonly #trace: Trace;
  readonly #dice: Dice;
  #socket: Socket | null = null;
  /** In the room of the session. */
  #isSeated = false;
  #reportedSeq = 0;
  /** Of what it was told last; on one connection it only grows. */
  #epoch = 0;
  #isNewConnection = true;
  #hasHistory = false;
  #isPaused = false;
  #isStaying = false;
  #giveUp: () => void = () => {};
  #running: Promise<void> = Promise.resolve();

  constructor(name: string, options: { sessionId: string; ledger: SavedLedger; trace: Trace; dice: Dice }) {
    this.name = name;
    this.sessionId = options.sessionId;
    this.#ledger = options.ledger;
    this.#trace = options.trace;
    this.#dice = options.dice;
  }

  get isSeated(): boolean {
    return this.#isSeated;
  }

  /** Reads from the server on a port, until that is gone or `detach` is called. */
  attach(port: number): void {
    const socket = io(`http://127.0.0.1:${port}`, { transports: ['websocket'], forceNew: true, reconnection: false });
    this.#socket = socket;
    this.#isStaying = false;
    this.#isNewConnection = true;
    socket.on('operation:batch', (batch: Announcements['operation:batch']) => this.#onBatch(batch));
    socket.on('operation:saved', (saved: Announcements['operation:saved']) => this.#onSavedAlone(saved));
    socket.on('session:forked', () => this.#trace.count('told to fork'));
    for (const end of ['session:forked', 'session:closed', 'disconnect']) socket.on(end, () => this.#unseat());
    const isConnected = new Promise<boolean>((resolve) => {
      this.#giveUp = () => resolve(false);
      socket.on('connect', () => resolve(true));
      socket.on('connect_error', () => resolve(false));
    });
    this.#running = this.#run(socket, isConnected);
  }

  async detach(): Promise<void> {
    const socket = this.#socket;
    this.#socket = null;
    socket?.disconnect();
    this.#giveUp();
    await this.#running;
    this.#unseat();
  }

  /** Leaves, and does not come back before `resume`. */
  pause(): void {
    this.#isPaused = true;
  }

  resume(): void {
    this.#isPaused = false;
  }

  /** From now on it stays once it is in, until it is told otherwise or attached to another server. */
  stay(): void {
    this.#isStaying = true;
    this.#isPaused = false;
  }

  roam(): void {
    this.#isStaying = false;
  }

  async #run(socket: Socket, isConnected: Promise<boolean>): Promise<void> {
    if (!(await isConnected)) return;
    const isUp = (): boolean => socket === this.#socket && socket.connected;
    while (isUp()) {
      if (this.#isPaused || !(await this.#join(socket))) {
        // Who has joined, and not come to the end of the pages, is there all the same.
        if (this.#isPaused) await this.#leave(socket);
        await elapsed(RETRY_MS);
        continue;
      }
      const leavesAt = performance.now() + this.#dice.between(STAY_MS.least, STAY_MS.most);
      const stays = (): boolean => this.#isStaying || (!this.#isPaused && performance.now() < leavesAt);
      while (isUp() && this.#isSeated && stays()) await elapsed(RETRY_MS);
      if (isUp() && this.#isSeated) await this.#leave(socket);
    }
  }

  async #leave(socket: Socket): Promise<void> {
    await this.#ask(socket, 'session:leave', { sessionId: this.sessionId }, () => this.#unseat());
  }

  /** Joins and reads page by page. False: it did not come to the end. */
  async #join(socket: Socket): Promise<boolean> {
    const head = this.chain.head;
    const have = this.#hasHistory
      ? { have: { epoch: this.#epoch, head, saved: this.chain.markAtOrBelow(this.#reportedSeq) } }
      : {};
    let page: Page | null = await this.#ask(socket, 'session:join', { sessionId: this.sessionId, ...have }, (reply) => {
      this.#trace.count('probe joins');
      this.#onJoined(reply);
      this.#takePage(reply);
    });
    while (page?.more) {
      if (page.entries.length === 0) await elapsed(RETRY_MS);
      const after = page.next;
      page = await this.#ask(socket, 'operation:catch-up', { sessionId: this.sessionId, after }, (reply) =>
        this.#takePage(reply),
      );
    }
    return this.#isSeated;
  }

  #onJoined({ resume, snapshot, head, saved }: Replies['session:join']): void {
    if (resume === 'start') {
      this.chain.restart(snapshot ? { seq: snapshot.seq, tag: snapshot.tag } : GENESIS);
      this.#reportedSeq = this.chain.head.seq;
      this.#hasHistory = true;
    } else if (resume !== 'continue') {
      const { base } = resume.fork;
      if (!this.chain.rollBackTo(base)) {
        this.#violated('delivered', `is to fork at ${base.seq} ${base.tag}, which it never had`);
        this.chain.restart(base);
      }
      this.#reportedSeq = Math.min(this.#reportedSeq, base.seq);
    }
    this.#noteEpoch(head.epoch);
    if (saved.seq > 0) this.#ledger.reported(saved, this.name);
  }

  #takePage({ entries, next, more }: Page): void {
    for (const entry of entries) {
      const fault = this.chain.append(entry);
      if (fault) this.#violated('delivered', `page: ${fault}`);
    }
    this.#demandHead(next, 'a page');
    if (!more) this.#isSeated = true;
  }

  #onBatch({ epoch, prevSeq, prevTag, entries, tag, saved }: Announcements['operation:batch']): void {
    const last = entries[entries.length - 1];
    if (!last) return this.#violated('delivered', 'got an empty batch');
    const span = `${prevSeq + 1}…${last.seq}`;
    if (!this.#isSeated) return this.#violated('delivered', `got ${span} before it was in the room`);
    const { head } = this.chain;
    if (!isSameMark({ seq: prevSeq, tag: prevTag }, head)) {
      const relation = prevSeq < head.seq ? 'repeats' : prevSeq > head.seq ? 'skips' : 'contradicts';
      this.#violated('delivered', `got ${span}, which ${relation} what it has up to ${head.seq} ${head.tag}`);
      this.chain.restart({ seq: prevSeq, tag: prevTag });
    }
    for (const entry of entries) {
      const fault = this.chain.append(entry);
      if (fault) this.#violated('delivered', `batch: ${fault}`);
    }
    this.#demandHead({ seq: last.seq, tag }, 'a batch');
    this.#noteEpoch(epoch);
    this.#onSaved(saved);
  }

  #onSavedAlone({ epoch, saved }: Announcements['operation:saved']): void {
    if (!this.#isSeated) return this.#violated('delivered', `heard of saved ${saved} before it was in the room`);
    this.#noteEpoch(epoch);
    this.#onSaved(saved);
  }

  #onSaved(seq: number): void {
    if (seq > this.chain.head.seq) {
      return this.#violated('saved', `heard that ${seq} is saved, and was told nothing beyond ${this.chain.head.seq}`);
    }
    for (const { mark } of this.chain.linksUpTo(seq)) {
      if (mark.seq > this.#reportedSeq) this.#ledger.reported(mark, this.name);
    }
    this.#reportedSeq = Math.max(this.#reportedSeq, seq);
  }

  #noteEpoch(epoch: number): void {
    if (epoch < this.#epoch && !this.#isNewConnection)
      this.#violated('delivered', `was in epoch ${this.#epoch} and is in ${epoch}`);
    this.#epoch = epoch;
    this.#isNewConnection = false;
  }

  #demandHead(told: Mark, by: string): void {
    const { head } = this.chain;
    if (isSameMark(head, told)) return;
    this.#violated('tag', `has ${head.seq} ${head.tag} behind ${by} that ends at ${told.seq} ${told.tag}`);
    this.chain.restart(told);
  }

  #unseat(): void {
    this.#isSeated = false;
  }

  #violated(invariant: 'delivered' | 'tag' | 'saved', what: string): void {
    this.#trace.violated(invariant, `${this.name} ${what}`);
  }

  /** `onReply` runs as the answer comes in, before anything that comes behind it. Null: refused, or no answer. */
  #ask<Name extends RequestName>(
    socket: Socket,
    name: Name,
    payload: RequestInputs[Name],
    onReply: (reply: Replies[Name]) => void,
  ): Promise<Replies[Name] | null> {
    return new Promise((resolve) => {
      const end = (reply: Replies[Name] | null): void => {
        socket.off('disconnect', onLost);
        resolve(reply);
      };
      const onLost = (): void => end(null);
      socket.on('disconnect', onLost);
      if (!socket.connected) return end(null);
      socket.emit(name, payload, (acknowledgement: Acknowledgement<Name>) => {
        if (acknowledgement.status !== 'ok') return end(null);
        onReply(acknowledgement);
        end(acknowledgement);
      });
    });
  }
}
