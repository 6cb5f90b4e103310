import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { MessageChannel, type MessagePort } from 'node:worker_threads';
import { Piscina } from 'piscina';
import { systemClock, type Clock } from '../lib/clock';
import { toFlowError } from '../lib/faults';
import type { Logger } from '../lib/logger';
import { FlowError } from '../protocol/errors';
import type { DocumentFolder, FoldSource } from './document-folder';
import { feed } from './piscina-fold-feed';
import type { Difference, Folded, Question } from './piscina-fold-worker';

interface PiscinaDocumentFolderOptions {
  readonly log: Logger;
  readonly clock?: Clock;
  /** Documents folded at the same time, each on its own thread. */
  readonly maxThreads?: number;
  /** Calls that may be under way or wait; more are refused. */
  readonly maxCalls?: number;
  /** Memory one document may take; beyond it its call fails, not the server. */
  readonly maxHeapMegabytes?: number;
  /** Time one document may take once a thread has begun with it; then the thread is ended, and the call fails. */
  readonly maxFoldMs?: number;
  /** The same for what is tried out on it. */
  readonly maxTrialMs?: number;
}

/** One is busy with a large document while the other answers for small ones. */
const MAX_THREADS = 2;
/** With a few milliseconds for a usual document, the last of them still waits less than a second. */
const MAX_CALLS = 128;
/** A Yjs document takes about 12 times the size of its update: enough for one of 160 MB. */
const MAX_HEAP_MEGABYTES = 2_048;
/** Yjs deletes shared types inside each other by recursion: enough for 50,000 levels, where the usual stack ends at 4,000. */
const STACK_MEGABYTES = 64;
/** A document takes a second or two per million characters; one that takes longer than this is built to. */
const MAX_FOLD_MS = 60_000;
/** 20,000 parts of real editing take a twentieth of a second; the rest is for a thread that the machine has no time for. */
const MAX_TRIAL_MS = 3_000;
const IDLE_THREAD_MS = 30_000;
const RETRY_AFTER_MS = 500;
/** Where cores are short, those who type come first; folding still gets about a tenth of one. */
const NICE_INCREMENT = 10;

/** Folds documents in worker threads. A document goes to its worker page by page, the next one when the last is applied. */
export class PiscinaDocumentFolder implements DocumentFolder {
  readonly #options: PiscinaDocumentFolderOptions;
  #pool: Piscina<unknown, unknown> | null = null;
  #calls = 0;
  #invalidOperations = 0;

  constructor(options: PiscinaDocumentFolderOptions) {
    this.#options = options;
  }

  /** Operations passed over so far because they were no valid Yjs updates. */
  get invalidOperations(): number {
    return this.#invalidOperations;
  }

  async start(): Promise<void> {
    this.#pool ??= new Piscina({
      filename: workerFile(),
      minThreads: 0,
      maxThreads: this.#options.maxThreads ?? MAX_THREADS,
      idleTimeout: IDLE_THREAD_MS,
      niceIncrement: NICE_INCREMENT,
      resourceLimits: {
        maxOldGenerationSizeMb: this.#options.maxHeapMegabytes ?? MAX_HEAP_MEGABYTES,
        stackSizeMb: STACK_MEGABYTES,
      },
    });
  }

  /** Ends the workers; what they were doing rejects. */
  async stop(): Promise<void> {
    const pool = this.#pool;
    this.#pool = null;
    await pool?.destroy();
  }

  toUpdate(source: FoldSource): Promise<Uint8Array> {
    return this.#fold<Uint8Array>(source, { as: 'update' });
  }

  toText(source: FoldSource, field: string): Promise<string> {
    return this.#fold<string>(source, { as: 'text', field });
  }

  toJson(source: FoldSource, field: string): Promise<string> {
    return this.#fold<string>(source, { as: 'json', field });
  }

  async tryOut(source: FoldSource, operations: string): Promise<void> {
    const isApplied = await this.#fold<boolean>(source, { as: 'trial' }, `[${operations}]`);
    if (!isApplied) throw new FlowError('BAD_REQUEST', 'The operations cannot be applied to the document.');
  }

  async difference(snapshot: Uint8Array, stateVector: Uint8Array): Promise<Difference> {
    // Exact copies: a view, such as a Buffer, would take everything it is a view of along.
    const task = { snapshot: new Uint8Array(snapshot), stateVector: new Uint8Array(stateVector) };
    const answer = await this.#run<Difference | null>('difference', task, [task.snapshot.buffer]);
    if (!answer) throw new FlowError('BAD_REQUEST', 'That is no Yjs state vector.');
    return answer;
  }

  /** `trial`: what is to be tried behind the source. */
  async #fold<Answer extends string | Uint8Array | boolean>(
    source: FoldSource,
    question: Question,
    trial?: string,
  ): Promise<Answer> {
    const { port1: own, port2: port } = new MessageChannel();
    const { log, clock = systemClock, maxFoldMs = MAX_FOLD_MS, maxTrialMs = MAX_TRIAL_MS } = this.#options;
    const deadline = new Deadline(clock, own, maxFoldMs);
    const folding = this.#run<Folded<Answer>>('fold', { port, question }, [port], deadline.signal);
    const feeding = feed(own, source, trial, () => deadline.startAgain(maxTrialMs));
    try {
      // The first to fail says why: a source that fails ends the worker's task through the port, a dead worker ends the feeding.
      const [{ answer, invalidOperations, givenUp }] = await Promise.all([folding, feeding]);
      if (invalidOperations > 0)
        log.debug({ invalidOperations }, 'operations that are no Yjs updates were passed over');
      if (givenUp > 0) log.warn({ givenUp }, 'too much waits for what has not come; the oldest of it was left out');
      this.#invalidOperations += invalidOperations;
      return answer;
    } catch (fault) {
      if (!deadline.isRestarted || !deadline.signal.aborted) throw fault;
      throw new FlowError(
        'BAD_REQUEST',
        `Applying the operations takes longer than ${maxTrialMs} ms.`,
        {},
        { cause: fault },
      );
    } finally {
      deadline.clear();
      own.close();
    }
  }

  async #run<Answer>(
    name: 'fold' | 'difference',
    task: unknown,
    transferList: Array<MessagePort | ArrayBuffer>,
    signal: AbortSignal | null = null,
  ): Promise<Answer> {
    const pool = this.#pool;
    if (!pool) throw new FlowError('DRAINING');
    if (this.#calls >= (this.#options.maxCalls ?? MAX_CALLS)) {
      throw new FlowError('BUSY', 'Too many documents are being read.', { retryAfterMs: RETRY_AFTER_MS });
    }
    this.#calls += 1;
    try {
      // The worker's functions are typed in its file; a message between threads has no type.
      return (await pool.run(task, { name, transferList, signal })) as Answer;
    } catch (fault) {
      throw toFlowError(fault);
    } finally {
      this.#calls -= 1;
    }
  }
}

/** Time that runs from a thread's first sign of life. */
class Deadline {
  readonly #clock: Clock;
  readonly #controller = new AbortController();
  #cancel: (() => void) | undefined;
  isRestarted = false;

  constructor(clock: Clock, port: MessagePort, delayMs: number) {
    this.#clock = clock;
    port.once('message', () => this.#start(delayMs));
  }

  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  startAgain(delayMs: number): void {
    this.isRestarted = true;
    this.#start(delayMs);
  }

  clear(): void {
    this.#cancel?.();
  }

  #start(delayMs: number): void {
    this.clear();
    this.#cancel = this.#clock.after(delayMs, () => this.#controller.abort());
  }
}

/** Workers run what was built, also when this runs from its source (as under jest or tsx). */
function workerFile(): string {
  const name = 'piscina-fold-worker.js';
  const places = [join(__dirname, name), join(__dirname, '../../dist/src/storage', name)];
  const found = places.find((place) => existsSync(place));
  if (!found) throw new FlowError('INTERNAL', `The worker ${name} is not built: run npm run build.`);
  return found;
}
