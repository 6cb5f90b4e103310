import { createHash } from 'node:crypto';
import { z } from 'zod';
import { ERRORS } from '../../src/protocol/errors';
import { announcements, replies, requests } from '../../src/protocol/schemas';
import { isVersionSupported, PROTOCOL_VERSION } from '../../src/protocol/version';

/** The wire of each version, as the hash of everything that crosses it. */
const WIRES: Readonly<Record<number, string>> = {
  1: '01f856de57ff553c',
};

/** Descriptions explain; they do not cross the wire. */
const isOnTheWire = ([key]: [string, unknown]): boolean => key !== 'description';

/** One text for one wire, whatever the order in which the code names things. */
function canonical(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(canonical).join(',')}]`;
  if (typeof value !== 'object' || value === null) return JSON.stringify(value);
  const fields = Object.entries(value)
    .filter(isOnTheWire)
    .sort(([a], [b]) => (a < b ? -1 : 1));
  return `{${fields.map(([key, field]) => `${JSON.stringify(key)}:${canonical(field)}`).join(',')}}`;
}

function wireHash(): string {
  const schemasOf = (table: Record<string, z.ZodType>, io: 'input' | 'output') =>
    Object.fromEntries(Object.entries(table).map(([name, schema]) => [name, z.toJSONSchema(schema, { io })]));
  const actions = Object.fromEntries(Object.entries(ERRORS).map(([code, { action }]) => [code, action]));
  const wire = {
    requests: schemasOf(requests, 'input'),
    replies: schemasOf(replies, 'output'),
    announcements: schemasOf(announcements, 'output'),
    errors: actions,
  };
  return createHash('sha256').update(canonical(wire)).digest('hex').slice(0, 16);
}

/** Whoever changes the wire by accident or on purpose reads this. */
const whatToDo = (now: string, pinned: string | undefined): string =>
  `The wire has changed: its hash is '${now}', but version ${PROTOCOL_VERSION} is pinned to '${pinned}'. ` +
  'If you did not mean to change it, undo what you did in src/protocol/. If you did: clients of the old version are out there, ' +
  'so raise PROTOCOL_VERSION in src/protocol/version.ts, decide whether the server still speaks the old one, and add the line ' +
  `${PROTOCOL_VERSION + 1}: '${now}', to WIRES in this file. Only a version that was never released may be pinned anew.`;

test('the wire is the one that this protocol version names', () => {
  const [now, pinned] = [wireHash(), WIRES[PROTOCOL_VERSION]];
  expect(now === pinned ? 'as pinned' : whatToDo(now, pinned)).toBe('as pinned');
});

test('a client of this version is let in, and nothing but a version is taken for one', () => {
  expect(isVersionSupported(PROTOCOL_VERSION)).toBe(true);
  for (const other of [PROTOCOL_VERSION + 1, 0, -1, 1.5, Number.NaN, `${PROTOCOL_VERSION}`, null, undefined, {}, [1]]) {
    expect(isVersionSupported(other)).toBe(false);
  }
});
