import * as Y from 'yjs';
import { encodeJsonValue, encodeOperations } from '../../src/live/operations';
import type { Format } from '../../src/protocol/schemas';

const LIMITS = { maxOperationBytes: 1_000, maxBatchOperations: 4, maxBatchBytes: 2_000 };

const encode = (format: Format, ...operations: unknown[]): string => encodeOperations(format, operations, LIMITS).text;

const refusal = (code: string) => expect.objectContaining({ name: 'FlowError', code });

function yjsUpdate(text: string): string {
  const document = new Y.Doc();
  // One digit, so that the update is of one length in every run.
  document.clientID = 1;
  document.getText('content').insert(0, text);
  return Buffer.from(Y.encodeStateAsUpdate(document)).toString('base64');
}

/** Of three texts one at least has an update whose length is no multiple of three. */
const UNPADDED = ['a', 'ab', 'abc']
  .map(yjsUpdate)
  .find((update) => update.endsWith('='))
  ?.replace(/=+$/, '');

function nested(depth: number): unknown {
  let value: unknown = 1;
  for (let level = 0; level < depth; level += 1) value = level % 2 === 0 ? [value] : { in: value };
  return value;
}

/** What JSON.parse makes of it: a key like any other, not the prototype. */
const parsed = (text: string): unknown => JSON.parse(text);

describe('json', () => {
  test('any JSON value is stored as its text', () => {
    expect(encode('json', { insert: 'é"\\\n' }, [1, null], 'text', 0)).toBe(
      '[{"insert":"é\\"\\\\\\n"},[1,null],"text",0]',
    );
    expect(encode('json', null)).toBe('[null]');
    expect(encode('json', false, -1.5e-7, {})).toBe('[false,-1.5e-7,{}]');
  });

  test.each([
    ['binary', Buffer.from('x')],
    ['a typed array', new Uint8Array(2)],
    ['an array buffer', new ArrayBuffer(2)],
    ['binary deep inside', { a: [{ b: Buffer.from('x') }] }],
    ['NaN', Number.NaN],
    ['Infinity', [Number.POSITIVE_INFINITY]],
    ['nothing', undefined],
    ['nothing inside', { a: undefined }],
    ['a hole in an array', Object.assign([], { length: 1 })],
    ['a date', new Date(0)],
    ['a map', new Map()],
    ['an object with another prototype', Object.create({ inherited: 1 })],
    ['a function', () => 1],
    ['a bigint', 1n],
    ['a symbol', Symbol('x')],
    ['a key __proto__', parsed('{"__proto__":{"polluted":true}}')],
    ['a key __proto__ deep inside', parsed('[{"a":{"b":[{"__proto__":1}]}}]')],
    ['constructor.prototype', parsed('{"constructor":{"prototype":{"polluted":true}}}')],
    ['constructor.prototype deep inside', parsed('{"a":[{"constructor":{"prototype":null}}]}')],
    ['101 levels', nested(101)],
  ])('%s is refused', (_what, operation) => {
    expect(() => encode('json', 'fine', operation)).toThrow(refusal('BAD_REQUEST'));
    expect(() => encodeJsonValue(operation, 'It')).toThrow(refusal('BAD_REQUEST'));
  });

  test('words that only look dangerous are fine', () => {
    const operation = { constructor: 'Gaudí', prototype: { of: 'a car' }, proto: 1, toString: 'x', hasOwnProperty: 2 };
    expect(encode('json', operation)).toBe(`[${JSON.stringify(operation)}]`);
    expect(encode('json', { constructor: { name: 'x' } })).toBe('[{"constructor":{"name":"x"}}]');
  });

  test('100 levels are fine', () => {
    expect(encode('json', nested(100))).toBe(`[${JSON.stringify(nested(100))}]`);
  });

  test('a value nested a million deep is refused, not fatal', () => {
    const text = `${'['.repeat(1_000_000)}${']'.repeat(1_000_000)}`;
    expect(() => encodeJsonValue(parsed(text), 'It')).toThrow(refusal('BAD_REQUEST'));
  });
});

describe('yjs', () => {
  test('updates in base64 are stored as they came', () => {
    const [one, two] = [yjsUpdate('one'), yjsUpdate('two')];
    expect(encode('yjs', one, two)).toBe(`["${one}","${two}"]`);
    expect(JSON.parse(encode('yjs', one))).toEqual([one]);
  });

  test.each([
    ['an object', {}],
    ['a number', 7],
    ['null', null],
    ['binary', Buffer.from(yjsUpdate('x'), 'base64')],
    ['text that is no base64', 'not base64!'],
    ['base64 without its padding', UNPADDED],
    ['base64 with line breaks', `${yjsUpdate('abcd')}\n`],
    ['base64 for URLs', Buffer.from([251, 255, 254]).toString('base64url')],
    ['an empty string', ''],
    ['bytes that are no update', Buffer.from('no update at all').toString('base64')],
    ['an update that is cut off', Buffer.from(yjsUpdate('abcdef'), 'base64').subarray(0, 9).toString('base64')],
    ['a quote that would end the text', '"],"x'],
  ])('%s is refused', (_what, operation) => {
    expect(() => encode('yjs', operation)).toThrow(refusal('BAD_REQUEST'));
  });
});

describe('[EO10] limits', () => {
  test('an operation may have so many bytes and no more', () => {
    const fits = 'x'.repeat(LIMITS.maxOperationBytes - 2);
    expect(encode('json', fits)).toHaveLength(LIMITS.maxOperationBytes + 2);
    expect(() => encode('json', `${fits}x`)).toThrow(refusal('TOO_LARGE'));
  });

  test('bytes are counted, not characters', () => {
    const threeBytesEach = '€'.repeat(332);
    expect(encode('json', threeBytesEach)).toContain('€');
    expect(() => encode('json', `${threeBytesEach}€`)).toThrow(refusal('TOO_LARGE'));
  });

  test('a batch may have so many bytes and no more', () => {
    const half = 'x'.repeat(996);
    expect(Buffer.byteLength(encode('json', half, half))).toBe(1_999);
    expect(() => encode('json', half, `${half}xx`)).toThrow(refusal('TOO_LARGE'));
    expect(() => encode('json', 'x'.repeat(700), 'x'.repeat(700), 'x'.repeat(700))).toThrow(refusal('TOO_LARGE'));
  });

  test('a batch may have so many operations and no more', () => {
    expect(encode('json', 1, 2, 3, 4)).toBe('[1,2,3,4]');
    expect(() => encode('json', 1, 2, 3, 4, 5)).toThrow(refusal('TOO_LARGE'));
  });

  test('a Yjs operation over its limit is not even decoded', () => {
    expect(() => encode('yjs', 'A'.repeat(1_004))).toThrow(refusal('TOO_LARGE'));
  });
});
