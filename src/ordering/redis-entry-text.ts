import type { ClientRow, Entry } from '../protocol/entry';
import type { Hint } from './event-ordering';

/**
 * What the scripts write, read again. Fields are lines, because Lua joins and splits those cheaply; none of them can contain one: ids
 * and tags by their alphabet, the user and the operations because JSON escapes them.
 */

/** `count, prevTag, tag, clientId, clientSeq, at, userId as JSON, operations`. Throws where the text is none. */
export function readEntry(epoch: number, seq: number, text: string): Entry {
  const [count, prevTag, tag, clientId, clientSeq, at, userId, operations] = text.split('\n');
  if (
    prevTag === undefined ||
    tag === undefined ||
    clientId === undefined ||
    userId === undefined ||
    operations === undefined
  ) {
    throw new Error('an entry of the hot log cannot be read');
  }
  return {
    epoch,
    seq,
    count: Number(count),
    prevTag,
    tag,
    clientId,
    clientSeq: Number(clientSeq),
    userId: String(JSON.parse(userId)),
    at: Number(at),
    operations,
  };
}

/** The numbers of a stream id `<epoch>-<seq>`. */
export function readId(id: string): { epoch: number; seq: number } {
  const [epoch, seq] = id.split('-');
  return { epoch: Number(epoch), seq: Number(seq) };
}

/** A published message; null where it is none of ours. */
export function readHint(message: string): Hint | null {
  const [kind, epochText, seqText, tag] = message.split('\n', 4);
  const epoch = Number(epochText);
  const seq = Number(seqText);
  if (!Number.isSafeInteger(epoch) || !Number.isSafeInteger(seq) || tag === undefined) return null;
  switch (kind) {
    case 'e':
      return { kind: 'entry', entry: readEntry(epoch, seq, message.slice(`e\n${epochText}\n${seqText}\n`.length)) };
    case 'h':
      return { kind: 'head', head: { epoch, seq, tag } };
    case 's':
      return { kind: 'saved', saved: { epoch, seq, tag } };
    default:
      return null;
  }
}

export const writeClientRow = ({ clientSeq, seq, count, prevTag, tag }: ClientRow): string =>
  [clientSeq, seq, count, prevTag, tag].join(':');
