import * as encoding from 'lib0/encoding';
import * as Y from 'yjs';

type Struct = ReturnType<typeof Y.decodeUpdate>['structs'][number];

/** Merging costs the square of the number of updates merged at once; in groups it stays near linear. */
const MERGE_GROUP = 32;

/** One update out of many. */
export function mergeUpdates(updates: readonly Uint8Array[]): Uint8Array {
  let level = [...updates];
  while (level.length > 1) {
    const next: Uint8Array[] = [];
    for (let start = 0; start < level.length; start += MERGE_GROUP)
      next.push(Y.mergeUpdates(level.slice(start, start + MERGE_GROUP)));
    level = next;
  }
  return level[0] ?? EMPTY_UPDATE;
}

/** No structs, no deletions. */
const EMPTY_UPDATE = new Uint8Array([0, 0]);

/** A deletion is two numbers of up to eight bytes each. */
const DELETION_BYTES = 16;

/** How many replicas, how many structs of each, whose and from where on: three numbers of up to eight bytes, and a few bytes once. */
const HEAD_BYTES = 24;

/**
 * Updates of at most `maxBytes` that together are `update`, to be applied in this order; only what cannot be divided is larger.
 * Needed because the server takes operations up to a size, and a pasted text or a document from elsewhere has none.
 */
export function splitUpdate(update: Uint8Array, maxBytes: number): Uint8Array[] {
  if (update.length <= maxBytes) return [update];
  const { structs, ds } = Y.decodeUpdate(update);
  const parts: Uint8Array[] = [];
  let part = new Map<number, Struct[]>();
  let partBytes = HEAD_BYTES;
  const endPart = (): void => {
    if (part.size > 0) parts.push(encode(part, NO_DELETIONS));
    part = new Map();
    partBytes = HEAD_BYTES;
  };
  for (const struct of structs) {
    // A part says for every replica where it begins and then only goes on: a hole needs a new part.
    if (struct instanceof Y.Skip) {
      endPart();
      continue;
    }
    for (const { piece, bytes } of splitStruct(struct, maxBytes)) {
      const { client } = piece.id;
      const needed = bytes + (part.has(client) ? 0 : HEAD_BYTES);
      if (partBytes + needed > maxBytes) endPart();
      const ofClient = part.get(client);
      if (ofClient) ofClient.push(piece);
      else part.set(client, [piece]);
      partBytes += ofClient ? bytes : bytes + HEAD_BYTES;
    }
  }
  endPart();
  const perPart = Math.max(1, Math.floor((maxBytes - HEAD_BYTES) / DELETION_BYTES));
  for (const [client, ranges] of ds.clients) {
    for (let start = 0; start < ranges.length; start += perPart) {
      parts.push(encode(new Map(), new Map([[client, ranges.slice(start, start + perPart)]])));
    }
  }
  return parts;
}

type Deletions = ReadonlyMap<number, ReadonlyArray<{ readonly clock: number; readonly len: number }>>;

const NO_DELETIONS: Deletions = new Map();

/** The first version of Yjs's update format: structs by replica, then deletions by replica. */
function encode(structs: ReadonlyMap<number, readonly Struct[]>, deletions: Deletions): Uint8Array {
  const encoder = new Y.UpdateEncoderV1();
  encoding.writeVarUint(encoder.restEncoder, structs.size);
  for (const [client, ofClient] of structs) {
    encoding.writeVarUint(encoder.restEncoder, ofClient.length);
    encoder.writeClient(client);
    encoding.writeVarUint(encoder.restEncoder, ofClient[0]?.id.clock ?? 0);
    for (const struct of ofClient) struct.write(encoder, 0);
  }
  encoding.writeVarUint(encoder.restEncoder, deletions.size);
  for (const [client, ranges] of deletions) {
    encoder.resetDsCurVal();
    encoding.writeVarUint(encoder.restEncoder, client);
    encoding.writeVarUint(encoder.restEncoder, ranges.length);
    for (const { clock, len } of ranges) {
      encoder.writeDsClock(clock);
      encoder.writeDsLen(len);
    }
  }
  return encoder.toUint8Array();
}

function sizeOf(struct: Struct): number {
  const encoder = new Y.UpdateEncoderV1();
  struct.write(encoder, 0);
  return encoding.length(encoder.restEncoder);
}

/** Text in pieces; everything else stays whole, because Yjs cannot divide it either. */
function splitStruct(struct: Struct, maxBytes: number): Array<{ piece: Struct; bytes: number }> {
  const bytes = sizeOf(struct);
  const fits = bytes + 2 * HEAD_BYTES <= maxBytes;
  if (fits || !(struct instanceof Y.Item) || !(struct.content instanceof Y.ContentString))
    return [{ piece: struct, bytes }];
  // A character takes at most three bytes, and an item's head a few.
  const step = Math.max(2, Math.floor(maxBytes / 4));
  const { id, origin, rightOrigin, parent, parentSub } = struct;
  const text = struct.content.str;
  const pieces: Array<{ piece: Struct; bytes: number }> = [];
  for (let start = 0; start < text.length; ) {
    const end = endBetweenCharacters(text, start + step);
    const left = start === 0 ? origin : Y.createID(id.client, id.clock + start - 1);
    const content = new Y.ContentString(text.slice(start, end));
    const pieceId = Y.createID(id.client, id.clock + start);
    const piece = new Y.Item(pieceId, null, left, null, rightOrigin, parent, parentSub, content);
    pieces.push({ piece, bytes: sizeOf(piece) });
    start = end;
  }
  return pieces;
}

/** Not between the two halves of a surrogate pair: Yjs would replace them. */
function endBetweenCharacters(text: string, end: number): number {
  const last = text.charCodeAt(end - 1);
  return end < text.length && last >= 0xd800 && last <= 0xdbff ? end + 1 : Math.min(end, text.length);
}
