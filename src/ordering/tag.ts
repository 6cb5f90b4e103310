import { hash } from 'node:crypto';

/** 64 bits of SHA-1: enough to tell histories apart, and what Redis can compute in Lua too. */
const TAG_HEX_DIGITS = 16;

/** The tag of a history that ends with this entry. Equal tags at a seq mean equal histories up to it. */
export function entryTag(entry: {
  prevTag: string;
  clientId: string;
  clientSeq: number;
  count: number;
  seq: number;
  operations: string;
}): string {
  const { prevTag, clientId, clientSeq, count, seq, operations } = entry;
  return hash('sha1', `${prevTag}:${clientId}:${clientSeq}:${count}:${seq}:${operations}`).slice(0, TAG_HEX_DIGITS);
}
