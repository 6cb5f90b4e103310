import fc from 'fast-check';
import { requests, type RequestName } from '../../../src/protocol/schemas';
import { seededRandom } from '../../../src/tools/seeded-random';
import { base64Of } from '../yjs-bytes';
import { damaged, editing } from '../yjs-editing';

/** One thing that a hostile client does. */
export type Hostile =
  /** Bytes right behind the upgrade, where WebSocket frames belong. */
  | { readonly kind: 'bytes'; readonly bytes: Buffer }
  /** Bytes where an HTTP request belongs. */
  | { readonly kind: 'http'; readonly bytes: Buffer }
  /** A WebSocket message of any content, as one who has joined. */
  | { readonly kind: 'message'; readonly message: string | Buffer }
  /** A request of ours with anything in it. */
  | { readonly kind: 'event'; readonly name: string; readonly bodies: readonly unknown[] }
  /** An operation like any other, but for its payload. */
  | { readonly kind: 'update'; readonly update: string };

/** Sessions that exist in the run, and one that does not. */
const SESSIONS = ['arena', 'json', 'nobody'] as const;

const anyBytes = (maxLength: number): fc.Arbitrary<Buffer> =>
  fc.uint8Array({ maxLength }).map((bytes) => Buffer.from(bytes));

/** Whole frames with everything wrong that can be: reserved bits, unknown opcodes, no mask, lengths that lie. */
const frameBytes: fc.Arbitrary<Buffer> = fc
  .record({
    first: fc.integer({ min: 0, max: 255 }),
    length: fc.oneof(
      fc.integer({ min: 0, max: 255 }).map((length) => [length]),
      fc.constantFrom(
        [0xfe, 0xff, 0xff],
        [0xff, 0, 0, 0, 0, 0x7f, 0xff, 0xff, 0xff],
        [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff],
      ),
    ),
    rest: fc.uint8Array({ maxLength: 40 }),
  })
  .map(({ first, length, rest }) => Buffer.from([first, ...length, ...rest]));

const requestBytes: fc.Arbitrary<Buffer> = fc
  .record({
    line: fc.constantFrom(
      'GET /health HTTP/1.1',
      'POST /api/sessions HTTP/1.1',
      'GET /api/sessions/arena/document?as=json&field=map HTTP/1.1',
      'GET /socket.io/?EIO=4&transport=polling HTTP/1.1',
      'GET /socket.io/?EIO=4&transport=websocket&sid=x HTTP/1.1',
      'OPTIONS * HTTP/1.1',
      'CONNECT a:1 HTTP/1.1',
    ),
    headers: fc.array(
      fc.constantFrom(
        'Host: x',
        'Connection: Upgrade',
        'Upgrade: websocket',
        'Upgrade: h2c',
        'Sec-WebSocket-Version: 13',
        'Sec-WebSocket-Key: x',
        'Authorization: Bearer mallory',
        'Content-Type: application/json',
        'Content-Length: 7',
        'Content-Length: -1',
        'Transfer-Encoding: chunked',
        'Expect: 100-continue',
        'Origin: https://evil.example',
      ),
    ),
    body: fc.constantFrom('', '{"a":1}', '{}', '5\r\nhello\r\n0\r\n\r\n', 'ffffffffffffffffff\r\n', '{"title":"x"}'),
    seed: fc.integer(),
    isDamaged: fc.boolean(),
  })
  .map(({ line, headers, body, seed, isDamaged }) => {
    const sound = Buffer.from(`${[line, ...headers].join('\r\n')}\r\n\r\n${body}`);
    return isDamaged ? Buffer.from(damaged(sound, seededRandom(seed))) : sound;
  });

const jsonValue = fc.jsonValue({ maxDepth: 4 });
const poison = fc
  .constantFrom('{"__proto__":{"isAdmin":true}}', '{"constructor":{"prototype":{"isAdmin":true}}}')
  .map((text) => JSON.parse(text) as unknown);
/** JSON.stringify recurses, so deeper ones are sent as texts. */
const deep = fc
  .integer({ min: 50, max: 1_000 })
  .map((levels) => JSON.parse('['.repeat(levels) + ']'.repeat(levels)) as unknown);
const extremes = fc.constantFrom<unknown>(
  -1,
  0,
  1.5,
  2 ** 53,
  -(2 ** 53),
  1e308,
  '',
  '\u0000',
  '__proto__',
  'x'.repeat(5_000),
  null,
  [],
  {},
  true,
);
const anything = fc.oneof({ weight: 4, arbitrary: jsonValue as fc.Arbitrary<unknown> }, poison, deep, {
  weight: 3,
  arbitrary: extremes,
});

/** Bodies as they should be, so that what is wrong with one is only what the damage did. */
const mark = { seq: 0, tag: '' };
const SOUND: Readonly<Record<RequestName, object>> = {
  'auth:renew': { token: 'x' },
  'session:create': { title: 'x', format: 'json' },
  'session:join': { sessionId: 'json', have: { epoch: 1, head: mark, saved: mark }, stateVector: 'AA==' },
  'session:leave': { sessionId: 'json' },
  'session:snapshot': { sessionId: 'json', ...mark, payload: {} },
  'role:list': { sessionId: 'json' },
  'role:set': { sessionId: 'json', userId: 'mallory', role: 'owner' },
  'operation:submit': { sessionId: 'json', clientSeq: 1, operations: [{ a: 1 }], base: mark, ref: 1 },
  'operation:catch-up': { sessionId: 'arena', after: mark, limit: 3 },
  'awareness:update': { sessionId: 'arena', awarenessId: '7', clock: 1, state: { cursor: 1 } },
};

const event: fc.Arbitrary<Hostile> = fc
  .record({
    name: fc.constantFrom(...(Object.keys(requests) as RequestName[])),
    sessionId: fc.constantFrom(...SESSIONS),
    changes: fc.array(fc.tuple(fc.nat(), anything), { maxLength: 2 }),
    whole: fc.option(anything, { freq: 6 }),
    more: fc.array(anything, { maxLength: 1 }),
    otherName: fc.option(
      fc.constantFrom('disconnect', 'connect', '__proto__', 'toString', 'no:such', 'operation:batch'),
      { freq: 10 },
    ),
  })
  .map(({ name, sessionId, changes, whole, more, otherName }) => {
    const body: Record<string, unknown> = { ...SOUND[name], ...(name === 'session:create' ? {} : { sessionId }) };
    const fields = Object.keys(body);
    for (const [field, value] of changes) body[fields[field % fields.length] ?? 'x'] = value;
    return { kind: 'event', name: otherName ?? name, bodies: [whole ?? body, ...(whole === null ? [] : more)] };
  });

/** Engine.IO and Socket.IO packets, right and wrong. */
const packet: fc.Arbitrary<Hostile> = fc
  .oneof(
    fc.constantFrom(
      '',
      '0',
      '1',
      '2',
      '2probe',
      '3',
      '4',
      '5',
      '6',
      '7',
      '9',
      'b',
      '40',
      '40{"token":7}',
      '40/admin,',
      '41',
      '41/x,',
      '44{"message":"x"}',
      '45',
      '46',
      '4x',
      '431[]',
      '43[1]',
      '43999999999999999999[1]',
      '42',
      '42[]',
      '42[1]',
      '42{}',
      '42["a"',
      '42["__proto__",{}]',
      '420["disconnect"]',
      '42999999999999999999999["x",{}]',
      '451-["x",{"_placeholder":true,"num":0}]',
      '45999999999-["x"]',
      '45-1-["x"]',
      '452-["x",{"_placeholder":true,"num":-1},{"_placeholder":true,"num":"toString"}]',
      '460-[]',
      '42["test",{"_placeholder":true,"num":0}]',
    ),
    fc.string({ maxLength: 60 }),
    fc.string({ maxLength: 60 }).map((text) => `42${text}`),
    fc.json({ maxDepth: 3 }).map((json) => `42["operation:submit",${json}]`),
    anyBytes(80),
    fc
      .integer({ min: 1_000, max: 100_000 })
      .map((levels) => `420["operation:submit",${'['.repeat(levels)}${']'.repeat(levels)}]`),
  )
  .map((message) => ({ kind: 'message', message }));

/** Real editing, and what becomes of it by a few wrong bytes. */
const update = (sound: readonly Uint8Array[]): fc.Arbitrary<Hostile> =>
  fc
    .record({ seed: fc.integer(), one: fc.nat(), other: fc.nat(), isDamaged: fc.boolean() })
    .map(({ seed, one, other, isDamaged }) => {
      const bytes = sound[one % sound.length] ?? Uint8Array.of(0, 0);
      const changed = isDamaged ? damaged(bytes, seededRandom(seed), sound[other % sound.length]) : bytes;
      return { kind: 'update', update: base64Of(changed) };
    });

/** The same for the same seed, in portions so that they need not all be held. */
export function* hostileActs(seed: number, count: number): Generator<Hostile> {
  const PORTION = 1_000;
  for (let made = 0, portion = 0; made < count; made += PORTION, portion += 1) {
    // Other documents every time, so that not all there is to damage is the same forty strokes.
    const sound = editing(seededRandom(seed + portion), 60);
    const acts = fc.oneof(
      { weight: 30, arbitrary: update(sound) },
      { weight: 30, arbitrary: event },
      { weight: 22, arbitrary: packet },
      { weight: 6, arbitrary: frameBytes.map((bytes): Hostile => ({ kind: 'bytes', bytes })) },
      { weight: 4, arbitrary: anyBytes(60).map((bytes): Hostile => ({ kind: 'bytes', bytes })) },
      { weight: 8, arbitrary: requestBytes.map((bytes): Hostile => ({ kind: 'http', bytes })) },
    );
    yield* fc.sample(acts, { seed: seed + portion, numRuns: Math.min(PORTION, count - made) });
  }
}
