import type { ClientIdentity } from '../access/client-identity';
import { backoffDelay } from '../lib/backoff';
import type { Clock } from '../lib/clock';
import type { Admitted, EventOrdering } from '../ordering/event-ordering';
import type { ClientRow } from '../protocol/entry';
import { FlowError } from '../protocol/errors';
import type { ClientCredentials, Requests } from '../protocol/schemas';
import type { OperationLog } from '../storage/operation-log';
import type { Feed } from './feed';
import type { History } from './history';
import type { SavedPosition } from './saved-position';

/** How long a client waits that was refused because the session or the store is not ready. */
export const RETRY_AFTER_MS = 250;
/** Anybody can claim to know more than there is, and the others wait while the session is opened again. */
const CLAIM_BACKOFF = { firstMs: 500, ceilingMs: 10_000 };
/** After so long without a claim the next one is the first again. */
const CLAIMS_FORGOTTEN_MS = 60_000;

interface AdmissionServices {
  readonly ordering: EventOrdering;
  readonly operationLog: OperationLog;
  readonly identity: ClientIdentity;
  readonly clock: Clock;
}

/**
 * Makes clients known to the hot log of one session (EO11). What clients and the store know of its history must be in the hot
 * log: where it is not, the session is opened again before anybody is told anything (DL3, ST4).
 */
export class Admission {
  readonly #sessionId: string;
  readonly #services: AdmissionServices;
  readonly #feed: Feed;
  readonly #history: History;
  readonly #saved: SavedPosition;
  #claims = 0;
  /** Monotonic times. */
  #lastClaimAt = Number.NEGATIVE_INFINITY;
  #nextClaimAt = Number.NEGATIVE_INFINITY;

  constructor(sessionId: string, services: AdmissionServices, feed: Feed, history: History, saved: SavedPosition) {
    this.#sessionId = sessionId;
    this.#services = services;
    this.#feed = feed;
    this.#history = history;
    this.#saved = saved;
  }

  /** Issues a client id, or admits the one that proves itself, and answers how far its operations came. */
  async admitClient(
    userId: string,
    credentials: ClientCredentials | undefined,
  ): Promise<ClientCredentials & { lastClientSeq: number }> {
    const { identity } = this.#services;
    if (credentials && !identity.verify(this.#sessionId, userId, credentials)) throw new FlowError('CLIENT_INVALID');
    const client = credentials ?? identity.issue(this.#sessionId, userId);
    return { ...client, lastClientSeq: await this.admit(client.clientId, credentials === undefined) };
  }

  /** The same for a client that has proved itself. */
  async admit(clientId: string, isNew: boolean): Promise<number> {
    const { ordering, operationLog } = this.#services;
    // Named before the row is read: under a newer epoch the history may have more of this client than the row says.
    const { epoch } = this.#feed.tail;
    const row = isNew ? null : await operationLog.clientRow(this.#sessionId, clientId);
    if (row && ordering.scope === 'shared') await this.#demandOnChain(row);
    const knownSeq = this.#feed.tail.head.seq;
    const admitted = await ordering.admit(this.#sessionId, epoch, clientId, row);
    if (admitted === 'wrong-epoch') throw this.wrongEpoch(epoch);
    this.demandClientKept(epoch, clientId, admitted.lastClientSeq, knownSeq);
    await this.#demandTold(admitted);
    return admitted.lastClientSeq;
  }

  /**
   * Whoever is told that a number is taken must find it in the history that follows, also where its hint was lost: a client takes a
   * number that it does not find for another tab's, and sends its own operation again under the next one (EO2).
   */
  async #demandTold({ seq }: Admitted): Promise<void> {
    if (this.#feed.tail.head.seq < seq) await this.#feed.reach(seq);
    if (this.#feed.tail.head.seq < seq) throw notDelivered();
  }

  /** EO7. The session may have been opened again since the hot log was asked. */
  wrongEpoch(askedEpoch: number): FlowError {
    if (askedEpoch === this.#feed.tail.epoch) this.#feed.breakOff('the hot log has another epoch');
    return notDelivered();
  }

  /** DL3: a hot log that knows less of a client than we had delivered when we asked has lost something. */
  demandClientKept(askedEpoch: number, clientId: string, lastClientSeq: number, knownSeq: number): void {
    if (askedEpoch !== this.#feed.tail.epoch) return;
    const own = this.#feed.tail.newestOf(clientId, knownSeq);
    if (!own || own.clientSeq <= lastClientSeq) return;
    this.#feed.breakOff('the hot log lacks operations of a client');
    throw notDelivered();
  }

  /**
   * For a client whose history is not ours. Nobody is told that what they have is void under the epoch it was ordered in:
   * somebody who holds it may save it yet (ST4). In one process an epoch ends with everything that could.
   */
  demandNothingLost(have: Requests['session:join']['have']): void {
    if (!have || have.epoch < this.#feed.tail.epoch || this.#services.ordering.scope === 'process') return;
    this.#demandClaimsAreRare();
    this.#feed.breakOff('a client has what the hot log of its epoch lacks');
    throw notDelivered();
  }

  /** Whoever comes too early with a claim has to come again; that tells nobody that anything is void. */
  #demandClaimsAreRare(): void {
    const now = this.#services.clock.monotonic();
    if (now < this.#nextClaimAt) throw notDelivered(Math.ceil(this.#nextClaimAt - now));
    if (now - this.#lastClaimAt > CLAIMS_FORGOTTEN_MS) this.#claims = 0;
    this.#claims += 1;
    this.#lastClaimAt = now;
    this.#nextClaimAt = now + backoffDelay(this.#claims, CLAIM_BACKOFF);
  }

  /**
   * A row of the store that is not in our history tells of operations our clients have not seen: the store was ahead of the hot log,
   * or beside it, and numbers taken from there would leave out or repeat what they stand for (ST4).
   */
  async #demandOnChain(row: ClientRow): Promise<void> {
    if (row.seq <= this.#saved.mark.seq) return;
    if (row.seq > this.#feed.tail.head.seq) {
      this.#feed.expect(row.seq);
      await this.#feed.repair();
    }
    if (await this.#history.isOnChain(this.#feed.tail, row)) return;
    this.#feed.breakOff('the store has operations of a client that the history lacks');
    throw notDelivered();
  }
}

export const notDelivered = (retryAfterMs = RETRY_AFTER_MS): FlowError =>
  new FlowError('NOT_DELIVERED', undefined, { retryAfterMs });
