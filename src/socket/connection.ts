import type { Socket } from 'socket.io';
import type { User } from '../access/access';
import type { Logger } from '../lib/logger';
import type { OpenSession } from '../live/open-session';
import { FlowError, ERRORS, type WireError } from '../protocol/errors';
import { requests, type Acknowledgement, type Replies, type RequestName, type Requests } from '../protocol/schemas';
import type { Telemetry } from '../telemetry/telemetry';
import { toFlowError } from '../lib/faults';

/** Answers a request with its ok reply; further calls do nothing. */
export type Respond<Name extends RequestName> = (reply: Replies[Name]) => void;

export type Handler<Name extends RequestName> = (
  request: Requests[Name],
  respond: Respond<Name>,
) => Promise<void> | void;

/** One live connection: who it is, what it has joined, and the one way requests come in and answers go out. */
export class Connection {
  readonly user: User;
  /** What this connection has joined, by sessionId. */
  readonly sessions = new Map<string, OpenSession>();
  readonly #socket: Socket;
  readonly #telemetry: Telemetry;
  readonly #log: Logger;
  #turn: Promise<void> = Promise.resolve();

  constructor(socket: Socket, user: User, { telemetry, log }: { telemetry: Telemetry; log: Logger }) {
    this.#socket = socket;
    this.user = user;
    this.#telemetry = telemetry;
    this.#log = log.child({ connectionId: socket.id, userId: user.userId });
    socket.onAny((name: unknown, ...rest: unknown[]) => {
      if (typeof name === 'string' && Object.hasOwn(requests, name)) return;
      this.#refuse(new FlowError('BAD_REQUEST', 'There is no such event.'), String(name), rest.at(-1));
    });
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

  /** Every request of this name is parsed, handled, and acknowledged once, whatever happens. */
  serve<Name extends RequestName>(name: Name, handle: Handler<Name>): void {
    // One listener serves all names, so its type is the union of theirs.
    const listener = (body: unknown, acknowledge: unknown): void => {
      const parsed = requests[name].safeParse(body);
      if (!parsed.success) {
        const issue = parsed.error.issues[0];
        const where = issue?.path.map(String).join('.');
        this.#refuse(
          new FlowError('BAD_REQUEST', `${where ? `${where}: ` : ''}${issue?.message ?? 'malformed'}`),
          name,
          acknowledge,
        );
        return;
      }
      const respond: Respond<Name> = (reply) => {
        if (isAcknowledge(acknowledge)) acknowledge({ status: 'ok', ...reply } satisfies Acknowledgement<Name>);
      };
      try {
        const handled = handle(parsed.data as Requests[Name], respond);
        handled?.catch((fault: unknown) => this.#refuse(fault, name, acknowledge));
      } catch (fault) {
        this.#refuse(fault, name, acknowledge);
      }
    };
    this.#socket.on(name as string, listener);
  }

  /** Runs work of this connection that must not overlap, such as joining and leaving, in order. */
  inTurn(work: () => Promise<void>): Promise<void> {
    const done = this.#turn.then(work);
    this.#turn = done.catch(() => {});
    return done;
  }

  #refuse(fault: unknown, name: string, acknowledge: unknown): void {
    const error = toFlowError(fault);
    this.#telemetry.operations.refused += 1;
    this.#log[ERRORS[error.code].logLevel](
      { err: error, event: name.slice(0, 64), ...error.details },
      'request refused',
    );
    const wire: WireError = error.toWire();
    if (isAcknowledge(acknowledge)) acknowledge({ status: 'error', error: wire });
  }
}

/** Socket.IO hands a function over when the client wants an answer. */
const isAcknowledge = (value: unknown): value is (answer: object) => void => typeof value === 'function';
