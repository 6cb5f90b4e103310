import * as Y from 'yjs';
import { createSession } from '../support/documents';
import { seededRandom } from '../../src/tools/seeded-random';
import { useServers } from '../support/server';
import { base64Of, collected, ofOne, text } from '../support/yjs-bytes';

const start = useServers();

async function twoInADocument() {
  const server = await start();
  const [ada, mallory] = [await server.connect({ user: 'ada' }), await server.connect({ user: 'mallory' })];
  const sessionId = await createSession(ada, 'yjs');
  await ada.demand('session:join', { sessionId });
  await mallory.demand('session:join', { sessionId });
  const submit = (clientSeq: number, ...updates: Uint8Array[]) =>
    mallory.ask('operation:submit', { sessionId, clientSeq, operations: updates.map(base64Of) });
  return { server, ada, mallory, sessionId, submit };
}

const refused = (code: string) =>
  expect.objectContaining({ status: 'error', error: expect.objectContaining({ code }) });
const sound = ofOne(text('sound'));
const slow = ofOne(
  text('x'.repeat(10_000)),
  ...Array.from({ length: 10_000 }, (_, at) => text('y', { rightOrigin: [5, at] })),
);

test('[EO5] [EO12] a hostile update is refused, takes no number, and nobody hears of it', async () => {
  const { ada, submit } = await twoInADocument();
  const hostile = [
    ofOne(text('')),
    ofOne(text('x', { root: '__proto__' })),
    Uint8Array.of(...sound, 0),
    sound.subarray(0, 5),
  ];
  for (const update of hostile) {
    expect(await submit(1, update)).toEqual(refused('BAD_REQUEST'));
    expect(await submit(1, sound, update)).toEqual(refused('BAD_REQUEST'));
  }
  expect(await submit(1, ofOne(...Array.from({ length: 100_000 }, () => collected(1))))).toEqual(refused('TOO_LARGE'));
  expect(await submit(1, sound)).toMatchObject({ status: 'ok', seq: 1 });
  const batch = await ada.next('operation:batch');
  expect(batch.entries).toMatchObject([{ seq: 1, operations: [base64Of(sound)] }]);
  expect(ada.all('operation:batch')).toHaveLength(1);
});

test('[EO12] an update that would bring every reader to a standstill is refused before anybody hears of it; others are not held up', async () => {
  const { ada, sessionId, submit } = await twoInADocument();
  const trial = submit(1, slow);
  const own = await ada.demand('operation:submit', { sessionId, clientSeq: 1, operations: [base64Of(sound)] });
  expect(own.seq).toBe(1);
  expect(await trial).toEqual(refused('BAD_REQUEST'));
  await ada.fence();
  expect(ada.all('operation:batch').flatMap(({ entries }) => entries)).toHaveLength(1);
});

test('[EO3] [EO12] what a client sends while an update of many parts is tried is ordered behind it', async () => {
  const { ada, submit } = await twoInADocument();
  const random = seededRandom(3);
  const doc = new Y.Doc();
  for (let edit = 0; edit < 1_500; edit += 1)
    doc.getText('content').insert(Math.floor(random() * doc.getText('content').length), 'word ');
  const large = Y.encodeStateAsUpdate(doc);
  expect(Y.decodeUpdate(large).structs.length).toBeGreaterThan(600);
  const answers = await Promise.all([submit(1, large), submit(2, sound), submit(3, large), submit(4, sound)]);
  expect(answers).toMatchObject([1, 2, 3, 4].map((seq) => ({ status: 'ok', seq })));
  await ada.next('operation:batch', ({ entries }) => entries.some(({ seq }) => seq === 4));
});

test('[EO12] who leaves while an update is tried gets nothing into the order any more', async () => {
  const { ada, mallory, sessionId, submit } = await twoInADocument();
  const doc = new Y.Doc();
  for (let edit = 0; edit < 1_500; edit += 1) doc.getText('content').insert(Math.floor(edit / 2), 'word ');
  const trial = submit(1, Y.encodeStateAsUpdate(doc));
  await mallory.demand('session:leave', { sessionId });
  expect(await trial).toEqual(refused('NOT_JOINED'));
  expect((await ada.demand('session:join', { sessionId })).head.seq).toBe(0);
});
