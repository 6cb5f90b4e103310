import { isUtf8 } from 'node:buffer';
import { FlowError } from '../protocol/errors';
import { demandJsonValue, MAX_JSON_DEPTH } from '../protocol/json-value';
import { MAX_PARTS, MAX_SUBDOCUMENTS, MAX_TYPE_DEPTH } from '../protocol/yjs-bounds';
import { TypeNesting } from '../protocol/yjs-nesting';
import { isNestedDeeperThan } from './json-depth';

/** A replica counts what it ever inserted: two thousand million is no one's document, and sums of two stay exact. */
const MAX_CLOCK = 2 ** 31 - 1;
/** 2^53 in portions of seven bits. */
const MAX_NUMBER_BYTES = 8;
const MAX_NUMBER = Number.MAX_SAFE_INTEGER;

/** Low five bits of a struct's first byte. */
const KIND = { gc: 0, deleted: 1, json: 2, binary: 3, text: 4, embed: 5, format: 6, type: 7, any: 8, doc: 9, skip: 10 };
const KIND_BITS = 0x1f;
const HAS_ORIGIN = 0x80;
const HAS_RIGHT_ORIGIN = 0x40;
const HAS_PARENT_KEY = 0x20;
/** Array, map, text, element, fragment, hook, XML text. An element and a hook have a name. */
const TYPE = { element: 3, hook: 5, last: 6 };
/** First bytes of values of any kind. */
const ANY = {
  bytes: 116,
  list: 117,
  object: 118,
  text: 119,
  true: 120,
  false: 121,
  bigint: 122,
  float64: 123,
  float32: 124,
  integer: 125,
  null: 126,
  undefined: 127,
};
/** Keys that could change a prototype, or characters written in a way that could hide them. */
const SUSPICIOUS = /__proto__|constructor|\\u/;
/** What Yjs writes of a subdocument's options. */
const SUBDOCUMENT_OPTIONS = ['gc', 'autoLoad', 'meta'];

/**
 * Refuses what no Yjs client writes (BAD_REQUEST): what is cut off or goes on behind its end, numbers beyond any document, a replica
 * that refers to what it has yet to write, unknown kinds of content, and values that could change a prototype or end a reader's
 * stack. Too many parts are TOO_LARGE. One pass over the bytes; nothing is allocated because the update says that there is much.
 * Answers how many parts it has: structs and deleted ranges.
 */
export function demandYjsUpdate(update: Uint8Array, what: string): number {
  return new Scan(update, what).run();
}

/** The first version of Yjs's update format: structs by replica, then deleted ranges by replica. */
class Scan {
  readonly #bytes: Buffer;
  readonly #what: string;
  readonly #nesting = new TypeNesting();
  #at = 0;
  #parts = 0;
  #subdocuments = 0;
  /** The last reference that was read. */
  #refClient = 0;
  #refClock = 0;

  constructor(bytes: Uint8Array, what: string) {
    this.#bytes = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.#what = what;
  }

  run(): number {
    const replicas = this.#count(4);
    const seen = new Set<number>();
    for (let index = 0; index < replicas; index += 1) {
      const structs = this.#count(2);
      const client = this.#uint();
      if (seen.has(client)) this.#refuse('has a replica twice');
      seen.add(client);
      this.#structs(structs, client);
    }
    this.#deletions();
    if (this.#at !== this.#bytes.length) this.#refuse('goes on behind its end');
    if (this.#nesting.isDeeperThan(MAX_TYPE_DEPTH))
      this.#refuse(`nests shared types deeper than ${MAX_TYPE_DEPTH} levels`);
    return this.#parts;
  }

  #structs(count: number, client: number): void {
    if (count === 0) this.#refuse('has a replica without structs');
    this.#countParts(count);
    let clock = this.#uint();
    for (let index = 0; index < count; index += 1) {
      const length = this.#struct(client, clock);
      if (length === 0) this.#refuse('has a struct without content');
      clock += length;
      if (clock > MAX_CLOCK) this.#refuse('has a clock beyond any document');
    }
  }

  #deletions(): void {
    const replicas = this.#count(2);
    for (let replica = 0; replica < replicas; replica += 1) {
      this.#uint();
      const ranges = this.#count(2);
      this.#countParts(ranges);
      for (let index = 0; index < ranges; index += 1) {
        const clock = this.#uint();
        const length = this.#uint();
        if (length === 0 || clock + length > MAX_CLOCK) this.#refuse('deletes what no document has');
      }
    }
  }

  /** Answers how many clocks it takes. */
  #struct(client: number, clock: number): number {
    const info = this.#byte();
    const kind = info & KIND_BITS;
    if (kind === KIND.gc || kind === KIND.skip) {
      if (info !== kind) this.#refuse('has an unknown kind of struct');
      this.#nesting.add(client, clock, false, null);
      return this.#uint();
    }
    this.#place(info, client, clock, kind === KIND.type);
    switch (kind) {
      case KIND.deleted:
        return this.#uint();
      case KIND.json:
        return this.#jsonList();
      case KIND.text:
        return this.#text();
      case KIND.any:
        return this.#anyList();
      case KIND.binary:
        this.#skip(this.#uint());
        return 1;
      case KIND.embed:
        this.#json();
        return 1;
      case KIND.format:
        this.#name();
        this.#json();
        return 1;
      case KIND.type: {
        const type = this.#uint();
        if (type > TYPE.last) this.#refuse('has an unknown shared type');
        if (type === TYPE.element || type === TYPE.hook) this.#name();
        return 1;
      }
      case KIND.doc:
        this.#subdocument();
        return 1;
      default:
        return this.#refuse('has an unknown kind of content');
    }
  }

  /** Where an item belongs: beside others, or inside a root or another shared type. */
  #place(info: number, client: number, clock: number, isType: boolean): void {
    const hasOrigin = (info & HAS_ORIGIN) !== 0;
    const hasRightOrigin = (info & HAS_RIGHT_ORIGIN) !== 0;
    if (hasRightOrigin && !hasOrigin) this.#reference(client, clock);
    if (hasOrigin) {
      this.#reference(client, clock);
      const [refClient, refClock] = [this.#refClient, this.#refClock];
      if (hasRightOrigin) this.#reference(client, clock);
      this.#refClient = refClient;
      this.#refClock = refClock;
    }
    if (hasOrigin || hasRightOrigin) {
      // Where it has no say itself, the parent is the left neighbour's, or else the right one's.
      return this.#nesting.add(client, clock, isType, {
        isInside: false,
        client: this.#refClient,
        clock: this.#refClock,
      });
    }
    const isRoot = this.#uint();
    if (isRoot > 1) this.#refuse('has an unknown kind of parent');
    if (isRoot === 1) this.#name();
    else this.#reference(client, clock);
    if ((info & HAS_PARENT_KEY) !== 0) this.#name();
    const inside = isRoot === 1 ? null : { isInside: true, client: this.#refClient, clock: this.#refClock };
    this.#nesting.add(client, clock, isType, inside);
  }

  /** Yjs looks for what a replica says it wrote earlier without asking whether it is there. */
  #reference(client: number, clock: number): void {
    this.#refClient = this.#uint();
    this.#refClock = this.#uint();
    if (this.#refClock > MAX_CLOCK) this.#refuse('refers to what no document has');
    if (this.#refClient === client && this.#refClock >= clock) this.#refuse('refers to what comes after it');
  }

  #text(): number {
    const end = this.#textEnd();
    let units = 0;
    for (let at = this.#at; at < end; at += 1) {
      const byte = this.#bytes[at] ?? 0;
      // Not the second, third or fourth byte of a character; those of four bytes are two units.
      if ((byte & 0xc0) !== 0x80) units += byte >= 0xf0 ? 2 : 1;
    }
    this.#at = end;
    return units;
  }

  /** A key, or the name of a root, a format or an element; answers it where it is one of those that matter. */
  #name(): 'prototype' | 'constructor' | null {
    const end = this.#textEnd();
    const start = this.#at;
    this.#at = end;
    const length = end - start;
    // Reading every name as a text would take most of the time.
    if (length !== 9 && length !== 11) return null;
    const name = this.#textOf(start, end);
    if (name === '__proto__') this.#refuse('has a key that could change a prototype');
    return name === 'prototype' || name === 'constructor' ? name : null;
  }

  #string(): string {
    const end = this.#textEnd();
    const text = this.#textOf(this.#at, end);
    this.#at = end;
    return text;
  }

  #textOf(start: number, end: number): string {
    return this.#bytes.toString('utf8', start, end);
  }

  /** Of a text that begins here; it is UTF-8, or Yjs would throw. */
  #textEnd(): number {
    const length = this.#uint();
    const start = this.#at;
    this.#skip(length);
    const end = this.#at;
    this.#at = start;
    for (let at = start; at < end; at += 1) {
      if ((this.#bytes[at] ?? 0) < 0x80) continue;
      if (!isUtf8(this.#bytes.subarray(at, end))) this.#refuse('has a text that is not UTF-8');
      break;
    }
    return end;
  }

  #jsonList(): number {
    const count = this.#count(1);
    this.#countParts(count);
    for (let index = 0; index < count; index += 1) this.#json(true);
    return count;
  }

  #json(isUndefinedAllowed = false): void {
    const text = this.#string();
    if (isUndefinedAllowed && text === 'undefined') return;
    let value: unknown;
    try {
      value = JSON.parse(text);
    } catch {
      return this.#refuse('has a value that is not JSON');
    }
    // Only a value that could be dangerous is looked through: it may be a million parts.
    if (isNestedDeeperThan(MAX_JSON_DEPTH, text) || SUSPICIOUS.test(text)) demandJsonValue(value, this.#what);
  }

  #anyList(): number {
    const count = this.#count(1);
    for (let index = 0; index < count; index += 1) this.#any(1);
    return count;
  }

  /** Answers whether it is an object with a key `prototype`. */
  #any(depth: number): boolean {
    if (depth > MAX_JSON_DEPTH) this.#refuse(`has a value nested deeper than ${MAX_JSON_DEPTH} levels`);
    switch (this.#byte()) {
      case ANY.undefined:
      case ANY.null:
      case ANY.true:
      case ANY.false:
        return false;
      case ANY.integer:
        return this.#integer();
      case ANY.float32:
        this.#skip(4);
        return false;
      case ANY.float64:
      case ANY.bigint:
        this.#skip(8);
        return false;
      case ANY.text:
        this.#at = this.#textEnd();
        return false;
      case ANY.bytes:
        this.#skip(this.#uint());
        return false;
      case ANY.object:
        return this.#object(depth);
      case ANY.list: {
        const count = this.#count(1);
        for (let index = 0; index < count; index += 1) this.#any(depth + 1);
        return false;
      }
      default:
        return this.#refuse('has an unknown kind of value');
    }
  }

  #object(depth: number): boolean {
    const count = this.#count(2);
    let hasPrototype = false;
    for (let index = 0; index < count; index += 1) {
      const key = this.#name();
      if (key === 'prototype') hasPrototype = true;
      const isPoison = this.#any(depth + 1) && key === 'constructor';
      if (isPoison) this.#refuse('has a key that could change a prototype');
    }
    return hasPrototype;
  }

  #subdocument(): void {
    this.#subdocuments += 1;
    if (this.#subdocuments > MAX_SUBDOCUMENTS) this.#refuse(`has more than ${MAX_SUBDOCUMENTS} subdocuments`);
    this.#name();
    if (this.#byte() !== ANY.object) this.#refuse('has a subdocument without options');
    for (let options = this.#count(2); options > 0; options -= 1) {
      // Yjs would take others for properties of the document.
      if (!SUBDOCUMENT_OPTIONS.includes(this.#string())) this.#refuse('has a subdocument with unknown options');
      this.#any(1);
    }
  }

  // ————— bytes

  #byte(): number {
    const byte = this.#bytes[this.#at];
    if (byte === undefined) return this.#refuse('is cut off');
    this.#at += 1;
    return byte;
  }

  #uint(): number {
    const bytes = this.#bytes;
    const last = this.#at + MAX_NUMBER_BYTES;
    const end = last < bytes.length ? last : bytes.length;
    let value = 0;
    let weight = 1;
    for (let at = this.#at; at < end; at += 1) {
      const byte = bytes[at] ?? 0;
      value += (byte & 0x7f) * weight;
      if (byte < 0x80) {
        this.#at = at + 1;
        return value <= MAX_NUMBER ? value : this.#refuse('has a number that is too large');
      }
      weight *= 0x80;
    }
    return this.#refuse(end < last ? 'is cut off' : 'has a number that is too large');
  }

  /** With a sign, of which only the place matters here; no object, whatever it is. */
  #integer(): false {
    for (let index = 0; index < MAX_NUMBER_BYTES; index += 1) if (this.#byte() < 0x80) return false;
    return this.#refuse('has a number that is too large');
  }

  /** How many things follow that take at least so many bytes each. */
  #count(leastBytesEach: number): number {
    const count = this.#uint();
    if (count * leastBytesEach > this.#bytes.length - this.#at) this.#refuse('is cut off');
    return count;
  }

  #countParts(count: number): void {
    this.#parts += count;
    if (this.#parts > MAX_PARTS)
      throw new FlowError(
        'TOO_LARGE',
        `${this.#what} has more than ${MAX_PARTS} structs and deletions; send it in parts.`,
      );
  }

  #skip(length: number): void {
    if (length > this.#bytes.length - this.#at) this.#refuse('is cut off');
    this.#at += length;
  }

  #refuse(why: string): never {
    throw new FlowError('BAD_REQUEST', `${this.#what} is not a Yjs update: it ${why}.`);
  }
}
