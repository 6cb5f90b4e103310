import * as encoding from 'lib0/encoding';
import * as Y from 'yjs';

export type Struct = ReturnType<typeof Y.decodeUpdate>['structs'][number];
type Content = Y.Item['content'];

/** Deleted ranges by replica. */
export type Deletions = Map<number, ReadonlyArray<{ readonly clock: number; readonly len: number }>>;

export interface SizedStruct {
  readonly struct: Struct;
  readonly bytes: number;
  /** What it counts for among the parts of an update (EO12). */
  readonly parts: number;
}

/** How many replicas, how many structs of each, whose and from where on: three numbers of up to eight bytes. */
export const HEAD_BYTES = 24;

/** Of what a struct may have, the rest is for its head: where it stands, and the name of a root once. */
const CONTENT_SHARE = 3 / 4;

/** The server counts every value of an old list for itself. */
export const partsOf = (struct: Struct): number =>
  struct instanceof Y.Item && struct.content instanceof Y.ContentJSON ? 1 + struct.content.arr.length : 1;

export const isSubdocument = (struct: Struct): boolean =>
  struct instanceof Y.Item && struct.content instanceof Y.ContentDoc;

/** The first version of Yjs's update format: structs by replica, then deletions by replica. */
export function encodeUpdate(structs: readonly Struct[], deletions: Deletions): Uint8Array {
  const encoder = new Y.UpdateEncoderV1();
  const byReplica = new Map<number, Struct[]>();
  for (const struct of structs) {
    const ofReplica = byReplica.get(struct.id.client);
    if (ofReplica) ofReplica.push(struct);
    else byReplica.set(struct.id.client, [struct]);
  }
  encoding.writeVarUint(encoder.restEncoder, byReplica.size);
  for (const [client, ofReplica] of byReplica) {
    encoding.writeVarUint(encoder.restEncoder, ofReplica.length);
    encoder.writeClient(client);
    encoding.writeVarUint(encoder.restEncoder, ofReplica[0]?.id.clock ?? 0);
    for (const struct of ofReplica) struct.write(encoder, 0);
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

/**
 * The struct in pieces that fit: texts and lists are cut where Yjs itself might cut them. What cannot be cut stays as large as it is,
 * unless it is deleted: then all that is left to say is that it was there.
 */
export function cutStruct(struct: Struct, deletions: Deletions, maxBytes: number, maxParts: number): SizedStruct[] {
  const fits = ({ bytes, parts }: SizedStruct): boolean => bytes + 2 * HEAD_BYTES <= maxBytes && parts <= maxParts;
  const whole = sized(struct);
  if (fits(whole) || !(struct instanceof Y.Item)) return [whole];
  const { client } = struct.id;
  let { clock } = struct.id;
  return cutContent(struct.content, Math.floor(maxBytes * CONTENT_SHARE), maxParts - 1).map((content) => {
    const piece = sized(pieceOf(struct, clock, content));
    const length = content.getLength();
    const isNeeded = fits(piece) || !isDeleted(deletions, client, clock, length);
    const kept = isNeeded ? piece : sized(pieceOf(struct, clock, new Y.ContentDeleted(length)));
    clock += length;
    return kept;
  });
}

function sized(struct: Struct): SizedStruct {
  const bytes = bytesOf((encoder) => struct.write(encoder, 0));
  return { struct, bytes, parts: partsOf(struct) };
}

function bytesOf(write: (encoder: Y.UpdateEncoderV1) => void): number {
  const encoder = new Y.UpdateEncoderV1();
  write(encoder);
  return encoding.length(encoder.restEncoder);
}

/** All but the first stand right behind the one before. */
function pieceOf({ id, origin, rightOrigin, parent, parentSub }: Y.Item, clock: number, content: Content): Y.Item {
  const left = clock === id.clock ? origin : Y.createID(id.client, clock - 1);
  return new Y.Item(Y.createID(id.client, clock), null, left, null, rightOrigin, parent, parentSub, content);
}

function cutContent(content: Content, maxBytes: number, maxValues: number): Content[] {
  if (content instanceof Y.ContentString) {
    return cutText(content.str, maxBytes).map((text) => new Y.ContentString(text));
  }
  if (content instanceof Y.ContentAny) {
    const size = (value: unknown): number => bytesOf((encoder) => encoder.writeAny(value));
    return cutList<unknown>(content.arr, size, maxBytes, maxValues).map((values) => new Y.ContentAny(values));
  }
  if (content instanceof Y.ContentJSON) {
    const textOf = (value: unknown): string => (value === undefined ? 'undefined' : JSON.stringify(value));
    const size = (value: unknown): number => bytesOf((encoder) => encoder.writeString(textOf(value)));
    return cutList<unknown>(content.arr, size, maxBytes, maxValues).map((values) => new Y.ContentJSON(values));
  }
  return [content];
}

function cutText(text: string, maxBytes: number): string[] {
  // A UTF-16 unit takes at most three bytes.
  const step = Math.max(2, Math.floor(maxBytes / 3));
  const pieces: string[] = [];
  for (let start = 0; start < text.length; ) {
    const end = endBetweenCharacters(text, start + step);
    pieces.push(text.slice(start, end));
    start = end;
  }
  return pieces;
}

/** Not between the two halves of a surrogate pair: Yjs would replace them. */
function endBetweenCharacters(text: string, end: number): number {
  const last = text.charCodeAt(end - 1);
  return end < text.length && last >= 0xd800 && last <= 0xdbff ? end + 1 : Math.min(end, text.length);
}

function cutList<Value>(
  values: readonly Value[],
  sizeOf: (value: Value) => number,
  maxBytes: number,
  maxValues: number,
): Value[][] {
  const pieces: Value[][] = [];
  let bytes = Number.POSITIVE_INFINITY;
  for (const value of values) {
    const size = sizeOf(value);
    const last = pieces[pieces.length - 1];
    if (!last || bytes + size > maxBytes || last.length >= maxValues) {
      pieces.push([value]);
      bytes = size;
    } else {
      last.push(value);
      bytes += size;
    }
  }
  return pieces;
}

function isDeleted(deletions: Deletions, client: number, clock: number, length: number): boolean {
  return (deletions.get(client) ?? []).some(
    (range) => range.clock <= clock && clock + length <= range.clock + range.len,
  );
}
