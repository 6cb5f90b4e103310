import type { MessagePort } from 'node:worker_threads';
import type { Entry } from '../protocol/entry';
import type { FoldSource } from './document-folder';
import type { FoldMessage } from './piscina-fold-worker';

/** Characters handed to a worker at once: less than a millisecond of the main thread. */
const MESSAGE_CHARACTERS = 262_144;

/** Hands the document over, and a trial behind it, a message per demand, until it ends or nobody listens any more. */
export async function feed(
  port: MessagePort,
  { snapshot, entries }: FoldSource,
  trial: string | undefined,
  onTrial: () => void,
): Promise<void> {
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
  if (trial !== undefined) {
    if (!(await hand({ kind: 'trial', batches: trial }))) return;
    onTrial();
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
