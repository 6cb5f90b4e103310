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
  /** On the last operation of a submit. */
  receipt?: Receipt;
}

export function toHeldOperation(operation: unknown): HeldOperation {
  const text: string | undefined = JSON.stringify(operation);
  if (text === undefined) throw new FlowError('BAD_REQUEST', 'An operation must be a JSON value.');
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
function utf8Length(text: string): number {
  let bytes = text.length;
  for (let index = 0; index < text.length; index += 1) {
    const code = text.charCodeAt(index);
    if (code < 0x80) continue;
    bytes += code < 0x800 || (code >= 0xd800 && code <= 0xdfff) ? 1 : 2;
  }
  return bytes;
}
