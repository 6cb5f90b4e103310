import { wireEntryText, toWireEntry, type Entry } from '../../src/protocol/entry';

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
