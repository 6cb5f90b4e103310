import { Encoder, PacketType, type Packet } from 'socket.io-parser';
import { wireEntryText, toWireEntry, type Entry } from '../../src/protocol/entry';
import { JsonText } from '../../src/protocol/json-text';
import { textParser } from '../../src/socket/text-parser';

const payload = { sessionId: 's', list: [1, 'zwei "drei" \u2028'], none: null };
const text = new JsonText<typeof payload>(JSON.stringify(payload));
const event = (data: unknown[], more: Partial<Packet> = {}): Packet => ({
  type: PacketType.EVENT,
  nsp: '/',
  data,
  ...more,
});

test('a payload that is text already is written as Socket.IO writes the value', () => {
  expect(new textParser.Encoder().encode(event(['name', text]))).toEqual(
    new Encoder().encode(event(['name', payload])),
  );
});

test.each<[string, Packet, Packet]>([
  ['a value', event(['name', payload]), event(['name', payload])],
  ['text in another namespace', event(['name', text], { nsp: '/other' }), event(['name', payload], { nsp: '/other' })],
  ['text that wants an answer', event(['name', text], { id: 7 }), event(['name', payload], { id: 7 })],
  ['text beside another argument', event(['name', text, 1]), event(['name', payload, 1])],
  [
    'an answer',
    { ...event([text]), type: PacketType.ACK, id: 3 },
    { ...event([payload]), type: PacketType.ACK, id: 3 },
  ],
])('%s is left to Socket.IO', (_what, sent, meant) => {
  expect(new textParser.Encoder().encode(sent)).toEqual(new Encoder().encode(meant));
});

test('an entry as text is the entry on the wire', () => {
  const entry: Entry = {
    epoch: 2,
    seq: 5,
    count: 2,
    prevTag: '0123456789abcdef',
    tag: 'fedcba9876543210',
    clientId: 'c1',
    clientSeq: 3,
    userId: 'O"Hara\\\u0000\ud800',
    at: 1_700_000_000_000,
    operations: '["a",{"b":[1]}]',
  };
  expect(wireEntryText(entry)).toBe(JSON.stringify(toWireEntry(entry)));
});
