import { toHeldOperation } from '../../src/client/held-operation';
import { HeldQueue } from '../../src/client/held-queue';
import type { WireEntry } from '../../src/protocol/entry';

const entry = (clientId: string, clientSeq: number, operations: unknown[], seq = clientSeq): WireEntry => {
  return { epoch: 1, seq, clientId, clientSeq, userId: 'u', at: 0, operations };
};

/** A queue of client `me` with these batches sent under numbers from 1. */
function sent(...batches: unknown[][]): HeldQueue {
  const queue = new HeldQueue();
  queue.noteJoined('me', 0);
  for (const operations of batches) {
    queue.hold(operations.map(toHeldOperation));
    const batch = queue.nextToSend();
    if (batch) queue.setState(batch, { kind: 'in-flight' });
  }
  return queue;
}

/** What is sent next, as `first number: operations`. */
function resent(queue: HeldQueue): string[] {
  const all: string[] = [];
  for (let batch = queue.nextToSend(); batch; batch = queue.nextToSend()) {
    all.push(`${batch.clientSeq}: ${batch.operations.map(({ value }) => String(value)).join(' ')}`);
    queue.setState(batch, { kind: 'in-flight' });
  }
  return all;
}

/** A new connection: the join's word, then the entries it brings. */
function rejoined(queue: HeldQueue, lastClientSeq: number, entries: WireEntry[] = [], clientId = 'me'): string[] {
  queue.forgetWhatWasSent();
  queue.noteJoined(clientId, lastClientSeq);
  const verdicts = entries.map((one) => queue.confirm(one));
  queue.settleNumbers();
  return verdicts;
}

describe('what is held, after a connection was lost', () => {
  test('(a) sent, answer lost, the server has it: the entry confirms it, and it is not sent again', () => {
    const queue = sent(['a', 'b'], ['c']);
    expect(rejoined(queue, 2, [entry('me', 2, ['a', 'b'])])).toEqual(['own']);
    expect(resent(queue)).toEqual(['3: c']);
  });

  test("(a') ordered only after the join: sent again under the same number and in the same grouping", () => {
    const queue = sent(['a', 'b'], ['c']);
    rejoined(queue, 3);
    expect(resent(queue)).toEqual(['1: a b', '3: c']);
  });

  test('(b) delivered, not saved, lost with the server: sent again under the same number', () => {
    const queue = sent(['a'], ['b']);
    queue.confirm(entry('me', 1, ['a']));
    queue.confirm(entry('me', 2, ['b']));
    queue.noteSaved(1);
    expect(queue.counts).toEqual({ unsent: 0, ordered: 1, saved: 1 });
    queue.rollBackAfter(1);
    rejoined(queue, 1);
    expect(resent(queue)).toEqual(['2: b']);
  });

  test('(c) one delivered and lost, one in flight: both again, in the order of submission', () => {
    const queue = sent(['a'], ['b']);
    queue.confirm(entry('me', 1, ['a']));
    queue.rollBackAfter(0);
    rejoined(queue, 0);
    expect(resent(queue)).toEqual(['1: a', '2: b']);
  });

  test('(d) a batch keeps its operations together, also when more has been submitted since', () => {
    const queue = sent(['a', 'b']);
    queue.hold(['c'].map(toHeldOperation));
    rejoined(queue, 0);
    expect(resent(queue)).toEqual(['1: a b', '3: c']);
  });

  test('(d) a batch of which the server has a part is divided there', () => {
    const queue = sent(['a', 'b', 'c']);
    expect(rejoined(queue, 2, [entry('me', 2, ['a', 'b'])])).toEqual(['own']);
    expect(resent(queue)).toEqual(['3: c']);
  });

  test('(e) unknown to a restored backup: numbers begin at 1 again', () => {
    const queue = sent(['a'], ['b']);
    queue.confirm(entry('me', 1, ['a']));
    queue.noteSaved(1);
    queue.release(1);
    queue.rollBackAfter(-1);
    rejoined(queue, 0);
    expect(resent(queue)).toEqual(['1: b']);
  });

  test("(e') (f) under a new id: what the history shows under the old one is confirmed, the rest gets new numbers", () => {
    const queue = sent(['a'], ['b']);
    expect(rejoined(queue, 0, [entry('me', 1, ['a'])], 'me-again')).toEqual(['own']);
    expect(resent(queue)).toEqual(['1: b']);
  });

  test('a number that somebody else used: theirs is remote, ours moves behind it', () => {
    const queue = sent(['a'], ['b']);
    expect(rejoined(queue, 1, [entry('me', 1, ['not a'])])).toEqual(['taken']);
    expect(resent(queue)).toEqual(['2: a', '3: b']);
  });

  test('what a snapshot holds is not sent again', () => {
    const queue = sent(['a'], ['b']);
    queue.rollBackAfter(-1);
    queue.forgetWhatWasSent();
    queue.noteJoined('me', 1);
    expect(queue.isInDoubt).toBe(true);
    queue.noteInSnapshot(1, { epoch: 1, seq: 10 });
    queue.settleNumbers();
    expect(resent(queue)).toEqual(['2: b']);
  });

  test("(e') (f) what was sent under a former id may be in a snapshot", () => {
    const queue = sent(['a']);
    queue.rollBackAfter(-1);
    queue.forgetWhatWasSent();
    queue.noteJoined('me-again', 0);
    expect(queue.isInDoubt).toBe(true);
    queue.settleNumbers();
    expect(queue.isInDoubt).toBe(false);
  });

  test('operations are the same if their JSON is, and not otherwise', () => {
    const queue = sent([{ b: 1, a: [undefined, -0] }]);
    expect(queue.confirm(entry('me', 1, [{ b: 1, a: [null, 0] }]))).toBe('own');
    expect(sent([{ a: 1 }]).confirm(entry('me', 1, [{ a: 2 }]))).toBe('taken');
    expect(sent(['1']).confirm(entry('me', 1, [1]))).toBe('taken');
  });

  test('what is held is a copy', () => {
    const operation = { text: 'as submitted' };
    const queue = sent([operation]);
    operation.text = 'changed later';
    expect(queue.confirm(entry('me', 1, [{ text: 'as submitted' }]))).toBe('own');
  });
});

describe('batches', () => {
  test('[EO10] have at most 256 operations', () => {
    const queue = new HeldQueue();
    queue.noteJoined('me', 0);
    queue.hold(Array.from({ length: 600 }, (_, index) => toHeldOperation(index)));
    const sizes: number[] = [];
    for (let batch = queue.nextToSend(); batch; batch = queue.nextToSend()) {
      sizes.push(batch.operations.length);
      queue.setState(batch, { kind: 'in-flight' });
    }
    expect(sizes).toEqual([256, 256, 88]);
  });

  test('bytes are counted as UTF-8', () => {
    for (const value of ['plain', 'ä', '好', '😀', { text: 'ä"😀\n' }]) {
      expect(toHeldOperation(value).bytes).toBe(Buffer.byteLength(JSON.stringify(value)));
    }
  });

  test('what is no JSON is refused', () => {
    expect(() => toHeldOperation(undefined)).toThrow(expect.objectContaining({ code: 'BAD_REQUEST' }));
  });
});
