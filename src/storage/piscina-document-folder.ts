import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { MessageChannel, type MessagePort } from 'node:worker_threads';
import { Piscina } from 'piscina';
import { toFlowError } from '../lib/faults';
import type { Logger } from '../lib/logger';
import type { Entry } from '../protocol/entry';
import { FlowError } from '../protocol/errors';
import type { DocumentFolder, FoldSource } from './document-folder';
import type { Difference, FoldMessage, Folded, Question } from './piscina-fold-worker';

interface PiscinaDocumentFolderOptions {
  readonly log: Logger;
  /** Documents folded at the same time, each on its own thread. */
  readonly maxThreads?: number;
  /** Calls that may be under way or wait; more are refused. */
  readonly maxCalls?: number;
  /** Memory one document may take; beyond it its call fails, not the server. */
  readonly maxHeapMegabytes?: number;
  /** Time one document may take once a thread has begun with it; then the thread is ended, and the call fails. */
  readonly maxFoldMs?: number;
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
const IDLE_THREAD_MS = 30_000;
const RETRY_AFTER_MS = 500;
/** Where cores are short, those who type come first; folding still gets about a tenth of one. */
const NICE_INCREMENT = 10;
/** Characters handed to a worker at once: less than a millisecond of the main thread. */
const MESSAGE_CHARACTERS = 262_144;

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

  async difference(snapshot: Uint8Array, stateVector: Uint8Array): Promise<Difference> {
    // Exact copies: a view, such as a Buffer, would take everything it is a view of along.
    const task = { snapshot: new Uint8Array(snapshot), stateVector: new Uint8Array(stateVector) };
    const answer = await this.#run<Difference | null>('difference', task, [task.snapshot.buffer]);
    if (!answer) throw new FlowError('BAD_REQUEST', 'That is no Yjs state vector.');
    return answer;
  }

  async #fold<Answer extends string | Uint8Array>(source: FoldSource, question: Question): Promise<Answer> {
    const { port1: own, port2: port } = new MessageChannel();
    const deadline = new AbortController();
    const folding = this.#run<Folded<Answer>>('fold', { port, question }, [port], deadline.signal);
    let overdue: NodeJS.Timeout | undefined;
    own.once('message', () => {
      overdue = setTimeout(() => deadline.abort(), this.#options.maxFoldMs ?? MAX_FOLD_MS);
    });
    try {
      // The first to fail says why: a source that fails ends the worker's task through the port, a dead worker ends the feeding.
      const [{ answer, invalidOperations, givenUp }] = await Promise.all([folding, feed(own, source)]);
      const { log } = this.#options;
      if (invalidOperations > 0)
        log.debug({ invalidOperations }, 'operations that are no Yjs updates were passed over');
      if (givenUp > 0) log.warn({ givenUp }, 'too much waits for what has not come; the oldest of it was left out');
      this.#invalidOperations += invalidOperations;
      return answer;
    } finally {
      clearTimeout(overdue);
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

/** Hands the document over, a message per demand, until it ends or nobody listens any more. */
async function feed(port: MessagePort, { snapshot, entries }: FoldSource): Promise<void> {
  const demand = new Demand(port);
  const hand = async (message: FoldMessage): Promise<boolean> => {
    const isWanted = await demand.next();
    if (isWanted) port.postMessage(message);
    return isWanted;
  };
  if (snapshot && !(await hand({ kind: 'snapshot', update: new Uint8Array(snapshot) }))) return;
  for await (const page of entries) {
    for (const batches of portions(page)) if (!(await hand({ kind: 'operations', batches }))) return;
  }
  await hand({ kind: 'end' });
}

/** Counts what the worker has asked for; asking may come before anyone waits for it. */
class Demand {
  #count = 0;
  #isOpen = true;
  #wake = (): void => {};

  constructor(port: MessagePort) {
    port.on('message', () => {
      this.#count += 1;
      this.#wake();
    });
    port.on('close', () => {
      this.#isOpen = false;
      this.#wake();
    });
  }

  /** Resolves when something is asked for; false: the other side is gone. */
  async next(): Promise<boolean> {
    while (this.#isOpen && this.#count === 0) {
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
    this.#count -= 1;
    return this.#isOpen;
  }
}

/** One text per message: a thousand texts would take the main thread ten times as long to hand over. */
function* portions(page: readonly Entry[]): Generator<string> {
  let portion: string[] = [];
  let characters = 0;
  for (const { operations } of page) {
    if (characters > 0 && characters + operations.length > MESSAGE_CHARACTERS) {
      yield `[${portion.join(',')}]`;
      portion = [];
      characters = 0;
    }
    portion.push(operations);
    characters += operations.length;
  }
  if (portion.length > 0) yield `[${portion.join(',')}]`;
}

/** Workers run what was built, also when this runs from its source (as under jest or tsx). */
function workerFile(): string {
  const name = 'piscina-fold-worker.js';
  const places = [join(__dirname, name), join(__dirname, '../../dist/src/storage', name)];
  const found = places.find((place) => existsSync(place));
  if (!found) throw new FlowError('INTERNAL', `The worker ${name} is not built: run npm run build.`);
  return found;
}
