import type { MessagePort } from 'node:worker_threads';
import * as Y from 'yjs';
import { Waiting } from './piscina-fold-waiting';
import { jsonOf, textOf } from './yjs-fields';

/** What is asked of a folded document. */
export type Question =
  | { readonly as: 'update' }
  | { readonly as: 'text'; readonly field: string }
  | { readonly as: 'json'; readonly field: string }
  /** Whether all of the trial could be applied. */
  | { readonly as: 'trial' };

/** One message per demand: the worker posts `null` on the port whenever it is ready for the next. */
export type FoldMessage =
  | { readonly kind: 'snapshot'; readonly update: Uint8Array }
  /** A JSON array of batches, each an array of base64 Yjs updates. */
  | { readonly kind: 'operations'; readonly batches: string }
  /** The same, but whatever is wrong with one of these is the answer. */
  | { readonly kind: 'trial'; readonly batches: string }
  | { readonly kind: 'end' };

export interface Folded<Answer> {
  readonly answer: Answer;
  readonly invalidOperations: number;
  /** Parts of updates that wait for what has not come, and are left out because too much waits. */
  readonly givenUp: number;
}

export interface Difference {
  readonly update: Uint8Array;
  readonly stateVector: Uint8Array;
}

/** Applies what comes over the port to one document, a message at a time, and answers the question about it. */
export async function fold({
  port,
  question,
}: {
  port: MessagePort;
  question: Question;
}): Promise<Folded<Uint8Array | string | boolean>> {
  const doc = new Y.Doc({ gc: true });
  const waiting = new Waiting();
  let invalidOperations = 0;
  let invalidInTrial = 0;
  for (;;) {
    const message = await demand(port);
    if (message.kind === 'end') break;
    if (message.kind === 'trial') invalidInTrial += applyAll(doc, message.batches, waiting);
    else if (message.kind === 'operations') invalidOperations += applyAll(doc, message.batches, waiting);
    else {
      Y.applyUpdate(doc, message.update);
      waiting.take(doc);
    }
  }
  port.close();
  waiting.restore(doc);
  const answer = question.as === 'trial' ? invalidInTrial === 0 : answerTo(question, doc);
  return { answer, invalidOperations, givenUp: waiting.givenUp };
}

/** Null: the state vector is none. */
export function difference(task: { snapshot: Uint8Array; stateVector: Uint8Array }): Difference | null {
  try {
    Y.decodeStateVector(task.stateVector);
  } catch {
    return null;
  }
  return {
    update: Y.diffUpdate(task.snapshot, task.stateVector),
    stateVector: Y.encodeStateVectorFromUpdate(task.snapshot),
  };
}

function demand(port: MessagePort): Promise<FoldMessage> {
  return new Promise((resolve, reject) => {
    const onClose = (): void => reject(new Error('The document ended before its end.'));
    port.once('close', onClose);
    port.once('message', (message: FoldMessage) => {
      port.off('close', onClose);
      resolve(message);
    });
    port.postMessage(null);
  });
}

/** One transaction for all: cleaning up after each update would cost more than the updates. Answers how many were none. */
function applyAll(doc: Y.Doc, batches: string, waiting: Waiting): number {
  let invalid = 0;
  doc.transact(() => {
    for (const operation of (JSON.parse(batches) as readonly unknown[]).flat()) {
      try {
        if (typeof operation !== 'string') throw new TypeError('not base64');
        Y.applyUpdate(doc, Buffer.from(operation, 'base64'));
      } catch {
        invalid += 1;
      }
      waiting.take(doc);
    }
    waiting.retry(doc);
  });
  return invalid;
}

function answerTo(question: Exclude<Question, { as: 'trial' }>, doc: Y.Doc): Uint8Array | string {
  switch (question.as) {
    case 'update':
      return Y.encodeStateAsUpdate(doc);
    case 'text':
      return textOf(doc, question.field);
    case 'json':
      return jsonOf(doc, question.field);
  }
}
