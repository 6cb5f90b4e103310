import { FlowError } from '../protocol/errors';
import type { Receipt } from './receipt';

/**
 * An operation the SDK keeps until it is saved: a copy that nobody can change any more. `text` is its JSON, which is what
 * decides whether two operations are the same; null where the value is a string and says it itself.
 */
export interface HeldOperation {
  readonly value: unknown;
  readonly text: string | null;
  /** As JSON, in UTF-8. */
  readonly bytes: number;
  /** Of the submit it belongs to. */
  partOf?: Receipt;
  /** The same, on the last operation of a submit: with it everything is ordered, and saved. */
  receipt?: Receipt;
}

/** What the server is sent of a value; throws BAD_REQUEST where it is no JSON. */
export function toJsonText(value: unknown, what: string): string {
  let text: string | undefined;
  try {
    text = JSON.stringify(value);
  } catch (cause) {
    // A circle, a bigint, or deeper than the stack.
    throw new FlowError('BAD_REQUEST', `${what} is not a JSON value: ${String(cause)}`, {}, { cause });
  }
  if (text === undefined) throw new FlowError('BAD_REQUEST', `${what} is not a JSON value.`);
  return text;
}

export function toHeldOperation(operation: unknown): HeldOperation {
  const text = toJsonText(operation, 'An operation');
  const bytes = utf8Length(text);
  return typeof operation === 'string'
    ? { value: operation, text: null, bytes }
    : { value: JSON.parse(text), text, bytes };
}

/** Equal as JSON text: what the server compares, too. */
export function isSameOperation(held: HeldOperation, delivered: unknown): boolean {
  return held.text === null ? held.value === delivered : held.text === JSON.stringify(delivered);
}

/** Bytes of a text as UTF-8; half of a surrogate pair counts two, so a pair counts its four. */
export function utf8Length(text: string): number {
  let bytes = text.length;
  for (let index = 0; index < text.length; index += 1) {
    const code = text.charCodeAt(index);
    if (code < 0x80) continue;
    bytes += code < 0x800 || (code >= 0xd800 && code <= 0xdfff) ? 1 : 2;
  }
  return bytes;
}
