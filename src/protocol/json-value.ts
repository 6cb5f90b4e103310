import { FlowError } from './errors';

const { isFinite } = Number;
const { isArray } = Array;
const { getPrototypeOf, hasOwn, prototype: plain } = Object;

/** Deeper values are nobody's document; and JSON.stringify recurses. */
export const MAX_JSON_DEPTH = 100;

/** What is no JSON (binary attachments), what could poison a prototype and what is too deep is refused, here and on the server. */
export function demandJsonValue(value: unknown, what: string, depth = 0): void {
  if (depth > MAX_JSON_DEPTH)
    throw new FlowError('BAD_REQUEST', `${what} is nested deeper than ${MAX_JSON_DEPTH} levels.`);
  if (value === null || typeof value === 'string' || typeof value === 'boolean') return;
  if (typeof value === 'number' && isFinite(value)) return;
  if (isArray(value)) {
    for (const item of value) demandJsonValue(item, what, depth + 1);
    return;
  }
  if (isPlain(value)) {
    // Not Object.entries: it would make two lists for each of what may be a hundred thousand objects.
    for (const key in value) {
      const item = value[key];
      if (isPoison(key, item))
        throw new FlowError('BAD_REQUEST', `${what} has a key "${key}" that could change a prototype.`);
      demandJsonValue(item, what, depth + 1);
    }
    return;
  }
  throw new FlowError('BAD_REQUEST', `${what} is not a JSON value.`);
}

const isPlain = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null && getPrototypeOf(value) === plain;

/** What a careless merge in some reader would write into the prototype of all its objects. */
const isPoison = (key: string, item: unknown): boolean =>
  key === '__proto__' ||
  (key === 'constructor' && typeof item === 'object' && item !== null && hasOwn(item, 'prototype'));
