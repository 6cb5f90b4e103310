import * as Y from 'yjs';
import { entryTag } from '../../../src/ordering/tag';
import { prevSeqOf, type Entry } from '../../../src/protocol/entry';
import { GENESIS, type Mark } from '../../../src/protocol/positions';
import { idOf } from './delivery-record';
import type { Session, World } from './world';
import { idsIn, YjsWriter } from './writers';

/** Holds everything that was recorded against the history that the store has in the end. */
export async function checkEnd(world: World): Promise<void> {
  for (const session of world.sessions) {
    await session.ledger.settled();
    const { sessionId, hotLog } = session;
    if (hotLog.overruled > 0) world.trace.violated('epoch', `${sessionId} was seeded over a log that was not older`);
    const history = await finalHistory(world, session);
    checkChain(world, session, history);
    checkClients(world, session, history);
    checkBases(world, session, history);
    checkSaved(world, session, history);
    checkReaders(world, session, history);
    if (session.format === 'json') checkOperations(world, session, history.flatMap(placedIn));
    else await checkYjs(world, session);
  }
}

/** What the store has; where it has pruned what a snapshot covers, what was seen to be written there. */
async function finalHistory(world: World, { sessionId, committed }: Session): Promise<readonly Entry[]> {
  const { operationLog, snapshots } = world.truth;
  const stored = await operationLog.readAfter(sessionId, 0, Number.MAX_SAFE_INTEGER);
  const prunedTo = stored[0] ? prevSeqOf(stored[0]) : ((await operationLog.head(sessionId))?.seq ?? 0);
  const snapshot = (await snapshots.latest(sessionId))?.at ?? GENESIS;
  if (prunedTo > snapshot.seq) {
    world.trace.violated('dense', `${sessionId} begins at ${prunedTo + 1}, and its snapshot ends at ${snapshot.seq}`);
  }
  const pruned = [...committed.values()].filter(({ seq }) => seq <= prunedTo).sort((a, b) => a.seq - b.seq);
  return [...pruned, ...stored];
}

function checkChain({ trace }: World, { sessionId }: Session, history: readonly Entry[]): void {
  let head: Mark = GENESIS;
  for (const entry of history) {
    if (prevSeqOf(entry) !== head.seq) trace.violated('dense', `${sessionId}: ${entry.seq} follows ${head.seq}`);
    if (entry.prevTag !== head.tag || entry.tag !== entryTag(entry)) {
      trace.violated('tag', `${sessionId}: the tag at ${entry.seq} is not that of the history`);
    }
    if (operationsOf(entry).length !== entry.count) trace.violated('dense', `${sessionId}: ${entry.seq} miscounts`);
    head = { seq: entry.seq, tag: entry.tag };
  }
}

/** EO2, EO3: each client counts 1, 2, 3 … */
function checkClients({ trace }: World, { sessionId }: Session, history: readonly Entry[]): void {
  const lastOf = new Map<string, number>();
  for (const { clientId, clientSeq, count, seq } of history) {
    const last = lastOf.get(clientId) ?? 0;
    if (clientSeq - count !== last) {
      const invariant = clientSeq - count < last ? 'unique' : 'order';
      trace.violated(
        invariant,
        `${sessionId}: at ${seq}, ${clientId} goes on with ${clientSeq - count + 1} after ${last}`,
      );
    }
    lastOf.set(clientId, Math.max(last, clientSeq));
  }
}

/** EO4 */
function checkBases({ trace }: World, { sessionId, authorships }: Session, history: readonly Entry[]): void {
  const bases = new Map(authorships.flatMap((authorship) => [...authorship.bases]));
  for (const entry of history) {
    const [id = ''] = operationsOf(entry);
    const tags = bases.get(id);
    if (tags && !tags.has(entry.prevTag)) {
      trace.violated(
        'base',
        `${sessionId}: ${id} stands at ${entry.seq} behind ${entry.prevTag}, not where it was proposed`,
      );
    }
  }
}

function checkSaved({ trace }: World, { sessionId, ledger }: Session, history: readonly Entry[]): void {
  const tags = new Map(history.map(({ seq, tag }) => [seq, tag]));
  for (const [seq, { tag, by }] of ledger.marks) {
    if (tags.get(seq) === tag) continue;
    trace.violated(
      'saved',
      `${sessionId}: ${by} was told that ${seq} ${tag} is saved; there is ${tags.get(seq) ?? 'nothing'}`,
    );
  }
}

/** Everybody who reads ends with this history, as far as they were told: no other tag anywhere. */
function checkReaders(
  { trace, authors, serving }: World,
  { sessionId, format }: Session,
  history: readonly Entry[],
): void {
  const tags = new Map(history.map(({ seq, tag }) => [seq, tag]));
  const records = authors.flatMap(({ writers }) => writers.map(({ record }) => record));
  const probes = serving.flatMap((slot) => slot.probes);
  for (const { name, chain } of [...records, ...probes].filter((reader) => reader.sessionId === sessionId)) {
    const wrong = chain.links.find(({ mark }) => tags.get(mark.seq) !== mark.tag);
    if (wrong) trace.violated('tag', `${name} has another entry at ${wrong.mark.seq} of ${sessionId} than the store`);
    const { start } = chain;
    if (start.seq > 0 && tags.get(start.seq) !== start.tag) {
      trace.violated('tag', `${name} began at ${start.seq} ${start.tag}, which is not in ${sessionId}`);
    }
  }
  if (format === 'yjs') return;
  const ids = history.flatMap(operationsOf);
  for (const { name, chain, snapshotIds } of records.filter((record) => record.sessionId === sessionId)) {
    if (snapshotIds.join() !== ids.slice(0, chain.start.seq).join()) {
      trace.violated('tag', `${name} began at ${chain.start.seq} with another document than ${sessionId} had there`);
    }
  }
}

interface PlacedOperation {
  readonly id: string;
  /** For people. */
  readonly where: string;
}

/** What authors wrote, once each and in their order. `operations` in the order of the document. */
function checkOperations(
  { trace }: World,
  { sessionId, format, authorships, ledger }: Session,
  operations: readonly PlacedOperation[],
): void {
  const places = new Map<string, number>();
  operations.forEach(({ id, where }, place) => {
    const first = places.get(id);
    if (first === undefined) places.set(id, place);
    else trace.violated('unique', `${sessionId} has ${id} twice: ${operations[first]?.where}, and ${where}`);
  });
  for (const { author, written, forgiven } of authorships) {
    let last = { id: 'nothing', place: -1 };
    for (let number = 1; number <= written; number += 1) {
      const id = `${author}.${number}`;
      const place = places.get(id);
      if (place === undefined) {
        if (ledger.ids.has(id)) trace.violated('saved', `${sessionId} lacks ${id}, which its author was told is saved`);
        else if (!forgiven.has(id)) trace.violated('complete', `${sessionId} lacks ${id}`);
        continue;
      }
      // Where in a Yjs list something stands is for Yjs to say.
      if (place < last.place && format === 'json') {
        const { where } = operations[place] ?? {};
        trace.violated('order', `${sessionId} has ${id} ${where} before ${last.id} ${operations[last.place]?.where}`);
      }
      last = { id, place };
    }
  }
}

/** A Yjs document says itself what is in it: every copy the same, and the store's, too. */
async function checkYjs(world: World, session: Session): Promise<void> {
  const { trace, authors } = world;
  const { sessionId } = session;
  const stored = await storedDocument(world, sessionId);
  checkOperations(
    world,
    session,
    idsIn(stored)
      .toArray()
      .map((id, index) => ({ id, where: `place ${index}` })),
  );
  for (const { name, writers } of authors) {
    for (const writer of writers) {
      if (!(writer instanceof YjsWriter) || writer.session.sessionId !== sessionId) continue;
      if (idsIn(writer.doc).toArray().join() !== idsIn(stored).toArray().join()) {
        trace.violated('tag', `${name} has another list in ${sessionId} than the store`);
      }
      if (writer.doc.getText('content').toJSON() !== stored.getText('content').toJSON()) {
        trace.violated('tag', `${name} has another text in ${sessionId} than the store`);
      }
    }
  }
}

/** Reads again where a snapshot was made, and what is below it pruned, between the two reads. */
async function storedDocument({ truth, trace }: World, sessionId: string): Promise<Y.Doc> {
  for (let attempt = 1; ; attempt += 1) {
    const doc = new Y.Doc();
    const snapshot = await truth.snapshots.latest(sessionId);
    if (snapshot) Y.applyUpdate(doc, snapshot.payload);
    const after = snapshot?.at.seq ?? 0;
    const entries = await truth.operationLog.readAfter(sessionId, after, Number.MAX_SAFE_INTEGER);
    for (const { operations } of entries) {
      for (const update of JSON.parse(operations) as string[]) Y.applyUpdate(doc, Buffer.from(update, 'base64'));
    }
    const first = entries[0];
    const continuesAt = first ? prevSeqOf(first) : (await truth.operationLog.head(sessionId))?.seq;
    if (continuesAt === after) return doc;
    if (attempt === MAX_READS) {
      trace.violated('dense', `${sessionId} has a snapshot at ${after} and goes on behind ${continuesAt}`);
      return doc;
    }
  }
}

/** A snapshot now and then is made while we read; not every time. */
const MAX_READS = 5;

const placedIn = (entry: Entry): PlacedOperation[] => {
  const { clientId, clientSeq, epoch, seq } = entry;
  const where = `at ${seq} as ${clientId.slice(0, 4)}#${clientSeq} of epoch ${epoch}`;
  return operationsOf(entry).map((id) => ({ id, where }));
};

const operationsOf = (entry: Entry): string[] => (JSON.parse(entry.operations) as unknown[]).map(idOf);
