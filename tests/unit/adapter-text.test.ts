import { adapterText, isRequest } from '../../src/connections/adapter-text';
import { JsonText } from '../../src/protocol/json-text';

const event = { type: 2, nsp: '/', data: ['session:renamed', { title: 'x' }] };
const to = { rooms: ['session:s'], except: [] };
const bytes = (value: unknown): Buffer => Buffer.from(JSON.stringify(value));

test('an event is read as it was written', () => {
  const message = ['me', event, { ...to, flags: { volatile: true } }];
  expect(adapterText.decode(Buffer.from(adapterText.encode(message)))).toEqual(message);
});

test('a payload that is JSON text travels as what it says', () => {
  const message = ['me', { ...event, data: ['x', new JsonText('{"a":1}')] }, to];
  expect(adapterText.decode(Buffer.from(adapterText.encode(message)))).toEqual([
    'me',
    { ...event, data: ['x', { a: 1 }] },
    to,
  ]);
});

test.each([
  ['nothing', Buffer.alloc(0)],
  ['no JSON', Buffer.from('[')],
  ['bytes', Buffer.from([0x93, 0xff])],
  ['a number', bytes(7)],
  ['nobody to hear it', bytes(['me', event])],
  ['rooms that are none', bytes(['me', event, { rooms: 'all', except: [] }])],
  ['no event', bytes(['me', { ...event, type: 1 }, to])],
  ['an event without a name', bytes(['me', { ...event, data: [] }, to])],
])('%s is read as nothing', (_what, message) => {
  expect(adapterText.decode(message)).toEqual([]);
});

test('the only request that is let through asks for an event on the server itself', () => {
  const request = { uid: 'me', type: 6, data: ['flow:disconnect-user', 'ada'] };
  expect(isRequest(bytes(request))).toBe(true);
  expect(isRequest(bytes({ ...request, requestId: 'r' }))).toBe(false);
  expect(isRequest(bytes({ uid: 'me', type: 4, opts: { rooms: [] }, close: true }))).toBe(false);
  expect(isRequest(Buffer.from('{'))).toBe(false);
});
