import type { Socket } from 'socket.io';
import type { User } from '../access/access';
import { pause, type Clock } from '../lib/clock';
import type { Logger } from '../lib/logger';
import { parse } from '../lib/parse';
import { RefusalLog } from '../lib/refusal-log';
import type { ConnectionLimits } from '../limits/connection-limits';
import type { OpenSession } from '../live/open-session';
import type { SlowConsumers } from '../live/slow-consumers';
import { FlowError, type WireError } from '../protocol/errors';
import { requests, type Acknowledgement, type Replies, type RequestName, type Requests } from '../protocol/schemas';
import type { Telemetry } from '../telemetry/telemetry';
import { toFlowError } from '../lib/faults';
import { JoinedSessions } from './joined-sessions';
import type { SignIn } from './sign-in';

/** Answers a request with its ok reply; further calls do nothing. */
export type Respond<Name extends RequestName> = (reply: Replies[Name]) => void;

export type Handler<Name extends RequestName> = (
  request: Requests[Name],
  respond: Respond<Name>,
) => Promise<void> | void;

/** So much may wait its turn: a page that opens some hundred documents at once fits. */
const MAX_WAITING = 1_024;
const WAITING_RETRY_MS = 250;
/** Answers that take turns are long; none begins before the earlier ones are read up to this share of the bound. */
const UNREAD_SHARE = 1 / 4;
const UNREAD_POLL_MS = 10;
/** Looking at a buffer costs as much as it holds; so many short answers cannot outgrow the bound by much. */
const REQUESTS_PER_BACKLOG_CHECK = 64;

interface ConnectionOptions {
  readonly telemetry: Telemetry;
  readonly clock: Clock;
  readonly log: Logger;
  /** Bytes that wait to be read by this connection. */
  readonly backlogBytes: () => number;
  readonly slowConsumers: SlowConsumers;
  readonly limits: ConnectionLimits;
  readonly maxSessions: number;
  /** Ends it, whatever waits to be sent. */
  readonly cutOff: () => void;
  /** The session, if it is open here. */
  readonly openSession: (sessionId: string) => OpenSession | undefined;
}

/** One live connection: who it is, what it has joined, and the one way requests come in and answers go out. */
export class Connection {
  readonly #signIn: SignIn;
  /** What this connection has joined. */
  readonly sessions: JoinedSessions;
  readonly #socket: Socket;
  readonly #options: ConnectionOptions;
  readonly #log: Logger;
  readonly #refusals: RefusalLog;
  readonly #handlers = new Map<unknown, Receive>();
  #turn: Promise<void> = Promise.resolve();
  #waiting = 0;
  #requests = 0;

  constructor(socket: Socket, signIn: SignIn, options: ConnectionOptions) {
    this.#socket = socket;
    this.#signIn = signIn;
    this.#options = options;
    this.sessions = new JoinedSessions(options.openSession, options.maxSessions);
    this.#log = options.log.child({ connectionId: socket.id, userId: signIn.user.userId });
    this.#refusals = new RefusalLog({ log: this.#log, clock: options.clock });
    // Before Socket.IO looks into it. Of text that is not ASCII, it is a little more.
    socket.conn.on('packet', ({ data }: { data?: string | Buffer }) => this.#count(data?.length ?? 0));
    // Not by listeners: for them Socket.IO spreads the arguments, and some hundred thousand of those overflow the stack.
    socket.use((event) => this.#receive(event));
  }

  /** As of now: the token may be another one than at first, the `userId` never. */
  get user(): User {
    return this.#signIn.user;
  }

  get connectionId(): string {
    return this.#socket.id;
  }

  get isAlive(): boolean {
    return this.#socket.connected;
  }

  /** The joined session, or NOT_JOINED. */
  joined(sessionId: string): OpenSession {
    const session = this.sessions.get(sessionId);
    if (!session) throw new FlowError('NOT_JOINED');
    return session;
  }

  /** Sends an answer that may be long, of work that took its turn; its length is not held against the connection (DL6). */
  answerLong(answer: () => void): void {
    this.#options.slowConsumers.reply(this.connectionId, answer);
  }

  /**
   * Every request of this name is parsed, handled, and acknowledged once, whatever happens. `tell` hears the answers to those that
   * came without an acknowledgement.
   */
  serve<Name extends RequestName>(
    name: Name,
    handle: Handler<Name>,
    tell?: (body: unknown, answer: Acknowledgement<Name>) => void,
  ): void {
    this.#handlers.set(name, (body, acknowledged, refusal) => {
      const acknowledge = once(acknowledged ?? (tell && ((answer: Acknowledgement<Name>): void => tell(body, answer))));
      if (refusal) return this.#refuse(refusal, name, acknowledge);
      const respond: Respond<Name> = (reply) => {
        acknowledge?.({ status: 'ok', ...reply });
      };
      try {
        const handled = handle(parse(requests[name], body) as Requests[Name], respond);
        handled?.catch((fault: unknown) => this.#refuse(fault, name, acknowledge));
      } catch (fault) {
        this.#refuse(fault, name, acknowledge);
      }
    });
  }

  /** Runs work of this connection that must not overlap, such as joining and leaving, in order; not for one that is gone. */
  inTurn(work: () => Promise<void>): Promise<void> {
    if (this.#waiting >= MAX_WAITING) throw new FlowError('BUSY', undefined, { retryAfterMs: WAITING_RETRY_MS });
    this.#waiting += 1;
    return this.#next(async () => {
      this.#waiting -= 1;
      await this.#read();
      if (this.isAlive) await work();
    });
  }

  /** The connection is gone. Leaves what it has joined behind everything that is still under way, such as a join. */
  end(): void {
    void this.#next(async () => {
      this.sessions.leaveAll(this.connectionId);
      this.#options.slowConsumers.forget(this.connectionId);
      this.#refusals.end();
    });
  }

  /** An event is a name, a body, and perhaps a function that answers. */
  #receive(event: readonly unknown[]): void {
    if (!this.isAlive || !this.#isReading()) return;
    const [name, ...sent] = event;
    const last = sent.at(-1);
    const acknowledge = isAcknowledge(last) ? last : undefined;
    if (acknowledge) sent.pop();
    const handle = this.#handlers.get(name);
    const refusal = this.#options.limits.refusalOf(String(name));
    if (handle && sent.length <= 1) return handle(sent[0], acknowledge, refusal);
    if (refusal) return this.#refuse(refusal, String(name), acknowledge);
    const what = handle ? 'A request has one body.' : 'There is no such event.';
    this.#refuse(new FlowError('BAD_REQUEST', what), String(name), acknowledge);
  }

  /** Who goes on, however often it is told to wait, does not listen (LM4). */
  #count(bytes: number): void {
    const { limits, telemetry, cutOff } = this.#options;
    limits.received(bytes);
    if (!limits.isIgnoringRefusals || !this.isAlive) return;
    telemetry.limits.connectionsCut += 1;
    this.#log.info('a connection that ignores refusals is cut off');
    cutOff();
  }

  #next(work: () => Promise<void>): Promise<void> {
    const done = this.#turn.then(work);
    this.#turn = done.catch(() => {});
    return done;
  }

  /** Until the answers so far are read, more or less: who asks for a page after page and reads none waits for itself. */
  async #read(): Promise<void> {
    const { clock, backlogBytes, slowConsumers } = this.#options;
    const bytes = slowConsumers.maxUnreadBytes * UNREAD_SHARE;
    while (this.isAlive && backlogBytes() > bytes) await pause(clock, UNREAD_POLL_MS);
  }

  /** DL6 for who asks and asks and never reads the answers: is cut off. */
  #isReading(): boolean {
    this.#requests += 1;
    return this.#requests % REQUESTS_PER_BACKLOG_CHECK !== 0 || !this.#options.slowConsumers.cutOff(this.connectionId);
  }

  #refuse(
    fault: unknown,
    name: string,
    acknowledge: ((answer: { status: 'error'; error: WireError }) => void) | undefined,
  ): void {
    const error = toFlowError(fault);
    this.#options.telemetry.refused(error);
    this.#refusals.add(error, name.slice(0, 64));
    acknowledge?.({ status: 'error', error: error.toWire() });
  }
}

type Acknowledge = (answer: object) => void;

/** `refusal`: it is refused, whatever the body says. */
type Receive = (body: unknown, acknowledge: Acknowledge | undefined, refusal: FlowError | null) => void;

/** The first call counts. */
function once<Answer>(answer: ((value: Answer) => void) | undefined): ((value: Answer) => void) | undefined {
  if (!answer) return undefined;
  let isAnswered = false;
  return (value) => {
    if (isAnswered) return;
    isAnswered = true;
    answer(value);
  };
}

/** Socket.IO hands a function over when the client wants an answer. */
const isAcknowledge = (value: unknown): value is Acknowledge => typeof value === 'function';
