import * as encoding from 'lib0/encoding';

/** Yjs updates written by hand, as no Yjs client would write them. */

type Write = (encoder: encoding.Encoder) => void;
type Id = readonly [client: number, clock: number];

/** Where an item says that it belongs; in the root `content` unless told. */
export interface Where {
  readonly origin?: Id;
  readonly rightOrigin?: Id;
  readonly inside?: Id;
  readonly root?: string;
  readonly key?: string;
}

export interface Replica {
  readonly client: number;
  readonly clock?: number;
  readonly structs: readonly Write[];
  /** How many structs it says it has. */
  readonly count?: number;
}

export type Deletions = ReadonlyArray<
  readonly [client: number, ranges: ReadonlyArray<readonly [clock: number, length: number]>]
>;

export function updateOf(replicas: readonly Replica[], deletions: Deletions = []): Uint8Array {
  const encoder = encoding.createEncoder();
  encoding.writeVarUint(encoder, replicas.length);
  for (const { client, clock = 0, structs, count = structs.length } of replicas) {
    for (const number of [count, client, clock]) encoding.writeVarUint(encoder, number);
    for (const write of structs) write(encoder);
  }
  encoding.writeVarUint(encoder, deletions.length);
  for (const [client, ranges] of deletions) {
    encoding.writeVarUint(encoder, client);
    encoding.writeVarUint(encoder, ranges.length);
    for (const range of ranges) for (const number of range) encoding.writeVarUint(encoder, number);
  }
  return encoding.toUint8Array(encoder);
}

/** One replica's structs, replica 5 from clock 0 on. */
export const ofOne = (...structs: Write[]): Uint8Array => updateOf([{ client: 5, structs }]);

export const base64Of = (update: Uint8Array): string => Buffer.from(update).toString('base64');

export const collected =
  (length: number): Write =>
  (encoder) => {
    encoding.writeUint8(encoder, 0);
    encoding.writeVarUint(encoder, length);
  };

export const skipped =
  (length: number): Write =>
  (encoder) => {
    encoding.writeUint8(encoder, 10);
    encoding.writeVarUint(encoder, length);
  };

/** An item of any kind: `content` writes what follows its place. */
export const item =
  (kind: number, content: Write, where: Where = {}): Write =>
  (encoder) => {
    const { origin, rightOrigin, inside, root = 'content', key } = where;
    const info = kind | (origin ? 0x80 : 0) | (rightOrigin ? 0x40 : 0) | (key === undefined ? 0 : 0x20);
    encoding.writeUint8(encoder, info);
    for (const id of [origin, rightOrigin]) for (const number of id ?? []) encoding.writeVarUint(encoder, number);
    if (!origin && !rightOrigin) {
      encoding.writeVarUint(encoder, inside ? 0 : 1);
      if (inside) for (const number of inside) encoding.writeVarUint(encoder, number);
      else encoding.writeVarString(encoder, root);
      if (key !== undefined) encoding.writeVarString(encoder, key);
    }
    content(encoder);
  };

export const deleted = (length: number, where?: Where): Write => item(1, uint(length), where);
export const text = (characters: string, where?: Where): Write => item(4, string(characters), where);
export const embed = (json: string, where?: Where): Write => item(5, string(json), where);
export const formatted = (key: string, json: string): Write => item(6, all(string(key), string(json)));
/** Array 0, map 1, text 2, element 3, fragment 4, hook 5, XML text 6. */
export const sharedType = (type: number, where?: Where, name?: string): Write =>
  item(7, name === undefined ? uint(type) : all(uint(type), string(name)), where);
/** `values` as the bytes of lib0's writeAny. */
export const anything = (count: number, ...values: Write[]): Write => item(8, all(uint(count), ...values));
export const subdocument = (guid: string, options: Write): Write => item(9, all(string(guid), options));

export const uint =
  (number: number): Write =>
  (encoder) =>
    encoding.writeVarUint(encoder, number);

export const string =
  (characters: string): Write =>
  (encoder) =>
    encoding.writeVarString(encoder, characters);

export const bytes =
  (...values: number[]): Write =>
  (encoder) =>
    encoding.writeUint8Array(encoder, Uint8Array.from(values));

export const any =
  (value: Parameters<typeof encoding.writeAny>[1]): Write =>
  (encoder) =>
    encoding.writeAny(encoder, value);

export const all =
  (...writes: Write[]): Write =>
  (encoder) => {
    for (const write of writes) write(encoder);
  };
