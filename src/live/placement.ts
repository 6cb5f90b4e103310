import { REQUEST_ACTIONS } from '../access/permissions';
import type { Clock } from '../lib/clock';
import type { AppendResult, EventOrdering, Submission } from '../ordering/event-ordering';
import { FlowError } from '../protocol/errors';
import type { Format, Replies, Requests } from '../protocol/schemas';
import type { Telemetry } from '../telemetry/telemetry';
import { notDelivered, RETRY_AFTER_MS, type Admission } from './admission';
import type { Feed } from './feed';
import { encodeOperations, type OperationLimits } from './operations';
import type { Saver } from './saver';
import type { Standing } from './standing';
import type { Trials } from './trials';

interface PlacementServices {
  readonly ordering: EventOrdering;
  readonly saver: Saver;
  readonly telemetry: Telemetry;
  readonly clock: Clock;
  readonly limits: OperationLimits & { readonly maxUnsavedBytes: number };
}

const WRITE = REQUEST_ACTIONS['operation:submit'];

/** Who speaks: a client admitted to the session. */
export interface Speaker {
  readonly clientId: string;
  readonly userId: string;
  readonly standing: Standing;
}

/** Gives the batches of one session their place in the order (EO), and answers when the own gate has passed them (DL3). */
export class Placement {
  readonly #sessionId: string;
  readonly #format: Format;
  readonly #services: PlacementServices;
  readonly #feed: Feed;
  readonly #admission: Admission;
  readonly #trials: Trials;
  readonly #demandOpen: () => void;

  constructor(
    { sessionId, format }: { sessionId: string; format: Format },
    services: PlacementServices,
    feed: Feed,
    admission: Admission,
    trials: Trials,
    demandOpen: () => void,
  ) {
    this.#sessionId = sessionId;
    this.#format = format;
    this.#services = services;
    this.#feed = feed;
    this.#admission = admission;
    this.#trials = trials;
    this.#demandOpen = demandOpen;
  }

  /** `speaker` is asked again after waiting: a role, or the place in the session, may have been taken away meanwhile. */
  async place(
    speaker: () => Speaker,
    { clientSeq, operations, base }: Requests['operation:submit'],
  ): Promise<Replies['operation:submit']> {
    this.#demandOpen();
    const { clientId, userId, standing } = speaker();
    if (standing.isSure) standing.demandMay(WRITE);
    const { clock, telemetry, limits, saver, ordering } = this.#services;
    const startedAt = clock.monotonic();
    const batch = encodeOperations(this.#format, operations, limits);
    const { text } = batch;
    const trial = this.#trials.of(clientId, standing, batch);
    if (trial) {
      await trial;
      this.#demandOpen();
      speaker().standing.demandMay(WRITE);
    }
    if (saver.unsavedBytes + text.length > limits.maxUnsavedBytes) {
      throw new FlowError('STORE_UNAVAILABLE', 'Too much is waiting for the store.', { retryAfterMs: RETRY_AFTER_MS });
    }
    const knownSeq = this.#feed.tail.head.seq;
    const submission = {
      epoch: this.#feed.tail.epoch,
      clientId,
      userId,
      firstClientSeq: clientSeq,
      count: operations.length,
      operations: text,
      ...(base ? { base } : {}),
    };
    let result = await ordering.append(this.#sessionId, submission);
    if (result.status === 'client-unknown') {
      // The hot log is younger than this client's join; its row is in the store (EO11).
      await this.#admission.admit(clientId, false);
      result = await ordering.append(this.#sessionId, submission);
    }
    if (result.status === 'accepted') telemetry.orderMs.record(clock.monotonic() - startedAt);
    return this.#answer(result, submission, knownSeq);
  }

  /** `knownSeq`: where the tail was when the hot log was asked. */
  async #answer(
    result: AppendResult,
    { epoch, clientId }: Pick<Submission, 'epoch' | 'clientId'>,
    knownSeq: number,
  ): Promise<Replies['operation:submit']> {
    const { operations } = this.#services.telemetry;
    switch (result.status) {
      case 'accepted': {
        const { entry } = result;
        operations.ordered += entry.count;
        this.#feed.offer(entry);
        // As a rule it has passed by now, and waiting for nothing costs a turn of every operation.
        if (this.#feed.tail.head.seq < entry.seq) await this.#feed.reach(entry.seq);
        if (this.#feed.tail.tagAt(entry.seq) !== entry.tag) throw notDelivered();
        return { epoch: entry.epoch, seq: entry.seq };
      }
      case 'duplicate':
        operations.duplicates += 1;
        await this.#feed.reach(result.seq);
        if (this.#feed.tail.epoch !== result.epoch || this.#feed.tail.head.seq < result.seq) throw notDelivered();
        return { epoch: result.epoch, seq: result.seq, duplicate: true };
      case 'gap':
        this.#admission.demandClientKept(epoch, clientId, result.expectedClientSeq - 1, knownSeq);
        throw new FlowError('CLIENT_SEQ_GAP', undefined, { expected: result.expectedClientSeq });
      case 'conflict':
        throw new FlowError('CLIENT_SEQ_CONFLICT');
      case 'stale-base':
        throw new FlowError('STALE_BASE', undefined, { head: result.head });
      case 'client-unknown':
        throw new FlowError('CLIENT_UNKNOWN');
      case 'wrong-epoch':
        throw this.#admission.wrongEpoch(epoch);
    }
  }
}
