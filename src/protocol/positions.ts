/** A place in a session's history: a dense sequence number and the tag of the history up to and including it. */
export interface Mark {
  readonly seq: number;
  readonly tag: string;
}

/** A mark with the epoch in which it was ordered. */
export interface Position extends Mark {
  readonly epoch: number;
}

/** The mark before the first operation. */
export const GENESIS: Mark = { seq: 0, tag: '' };

export const isSameMark = (a: Mark, b: Mark): boolean => a.seq === b.seq && a.tag === b.tag;
