import * as Y from 'yjs';
import { MAX_PARTS, MAX_SUBDOCUMENTS, MAX_TYPE_DEPTH, MAX_UNTRIED_PARTS } from '../protocol/yjs-bounds';
import { TypeNesting } from '../protocol/yjs-nesting';
import {
  cutStruct,
  encodeUpdate,
  HEAD_BYTES,
  isSubdocument,
  partsOf,
  type Deletions,
  type Struct,
} from './yjs-structs';

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

/** In less no bound but that of bytes can be broken: types inside each other have at least four each, subdocuments six. */
const LEAST_BYTES = 384;

/** A deletion is two numbers of up to eight bytes each. */
const DELETION_BYTES = 16;

/**
 * Updates within the bounds (EO10, EO12) that together are `update`, to be applied in this order; only what cannot be divided is larger.
 * Needed because a transaction has no bounds: a pasted text, a document from elsewhere, half of all characters deleted.
 */
export function splitUpdate(update: Uint8Array, maxBytes: number, maxParts = MAX_PARTS): Uint8Array[] {
  if (update.length <= Math.min(maxBytes, LEAST_BYTES)) return [update];
  const { structs, ds } = Y.decodeUpdate(update);
  if (update.length <= maxBytes && isWithinBounds(structs, ds.clients, maxParts)) return [update];
  const withStructs = gather(structs, ds.clients, maxBytes, maxParts).flatMap(withoutDepth);
  return [
    ...withStructs.map((portion) => encodeUpdate(portion, NO_DELETIONS)),
    ...gatherDeletions(ds.clients, maxBytes, maxParts).map((portion) => encodeUpdate([], portion)),
  ];
}

/**
 * What can take the place of an update that the server has refused; null: nothing. With enough parts it may have been the time that it
 * takes to apply them, which ends where nothing is tried any more.
 */
export function divideRefused(update: Uint8Array, maxBytes: number): Uint8Array[] | null {
  const { structs, ds } = Y.decodeUpdate(update);
  const parts = countParts(structs, ds.clients);
  const maxParts = parts > MAX_UNTRIED_PARTS ? Math.ceil(parts / 2) : MAX_PARTS;
  const portions = splitUpdate(update, maxBytes, maxParts);
  return portions.length > 1 ? portions : null;
}

const NO_DELETIONS: Deletions = new Map();

function isWithinBounds(structs: readonly Struct[], deletions: Deletions, maxParts: number): boolean {
  const subdocuments = structs.reduce((count, struct) => count + (isSubdocument(struct) ? 1 : 0), 0);
  return countParts(structs, deletions) <= maxParts && subdocuments <= MAX_SUBDOCUMENTS && !isTooDeep(structs);
}

function countParts(structs: readonly Struct[], deletions: Deletions): number {
  const ranges = [...deletions.values()].reduce((count, ofClient) => count + ofClient.length, 0);
  return structs.reduce((count, struct) => count + partsOf(struct), ranges);
}

function isTooDeep(structs: readonly Struct[]): boolean {
  const nesting = new TypeNesting();
  for (const struct of structs) {
    const { client, clock } = struct.id;
    if (!(struct instanceof Y.Item)) {
      nesting.add(client, clock, false, null);
      continue;
    }
    const beside = struct.origin ?? struct.rightOrigin;
    const inside = struct.parent instanceof Y.ID ? struct.parent : null;
    const place = beside ?? inside;
    nesting.add(
      client,
      clock,
      struct.content instanceof Y.ContentType,
      place && { isInside: !beside, client: place.client, clock: place.clock },
    );
  }
  return nesting.isDeeperThan(MAX_TYPE_DEPTH);
}

/** Runs of structs that each make one update, however deep its types are inside each other. */
function gather(structs: readonly Struct[], deletions: Deletions, maxBytes: number, maxParts: number): Struct[][] {
  const portions: Struct[][] = [];
  let portion: Struct[] = [];
  let [bytes, parts, subdocuments] = [HEAD_BYTES, 0, 0];
  const endPortion = (): void => {
    if (portion.length > 0) portions.push(portion);
    portion = [];
    [bytes, parts, subdocuments] = [HEAD_BYTES, 0, 0];
  };
  for (const struct of structs) {
    // A portion says for every replica where it begins and then only goes on: a hole needs a new one.
    if (struct instanceof Y.Skip) {
      endPortion();
      continue;
    }
    for (const piece of cutStruct(struct, deletions, maxBytes, maxParts)) {
      const isOver =
        bytes + piece.bytes + HEAD_BYTES > maxBytes ||
        parts + piece.parts > maxParts ||
        subdocuments + (isSubdocument(struct) ? 1 : 0) > MAX_SUBDOCUMENTS;
      if (isOver) endPortion();
      const isNewReplica = portion[portion.length - 1]?.id.client !== struct.id.client;
      portion.push(piece.struct);
      bytes += piece.bytes + (isNewReplica ? HEAD_BYTES : 0);
      parts += piece.parts;
      subdocuments += isSubdocument(struct) ? 1 : 0;
    }
  }
  endPortion();
  return portions;
}

/** Only what is inside each other within one update counts, so halves are less deep. */
function withoutDepth(structs: Struct[]): Struct[][] {
  if (!isTooDeep(structs)) return [structs];
  const middle = Math.ceil(structs.length / 2);
  return [structs.slice(0, middle), structs.slice(middle)].flatMap(withoutDepth);
}

function gatherDeletions(deletions: Deletions, maxBytes: number, maxParts: number): Deletions[] {
  const portions: Deletions[] = [];
  let room = 0;
  for (const [client, ranges] of deletions) {
    for (let start = 0; start < ranges.length; ) {
      if (room < 1) {
        portions.push(new Map());
        room = Math.max(1, Math.min(maxParts, Math.floor((maxBytes - HEAD_BYTES) / DELETION_BYTES)));
      }
      const end = Math.min(ranges.length, start + room);
      portions[portions.length - 1]?.set(client, ranges.slice(start, end));
      // A replica takes as much as two deletions.
      room -= end - start + 2;
      start = end;
    }
  }
  return portions;
}
