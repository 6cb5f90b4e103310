import { pino } from 'pino';
import { systemClock } from '../../src/lib/clock';
import { MemoryEventOrdering } from '../../src/ordering/memory-event-ordering';
import { Cluster } from '../support/cluster';
import { createSession } from '../support/documents';
import { Follower } from '../support/follower';
import { StubbornAuthor } from '../support/stubborn-author';
import { appendFileSync } from 'node:fs';
const texts = (name: string, count: number): string[] => Array.from({ length: count }, (_, index) => `${name}-${index + 1}`);
const log = pino({ level: 'debug' }, { write: (line: string) => appendFileSync('/tmp/nc/dbg.log', line) });
test.each(Array.from({length: 12}, (_, i) => i))('x %i', async (i) => {
  appendFileSync('/tmp/nc/dbg.log', `=== ${i}\n`);
  const cluster = await Cluster.start({ size: 2, log } as never);
  const sessionId = await createSession(await cluster.instances[0]!.server.connect({ user: 'founder' }));
  const author = await StubbornAuthor.join(await cluster.instances[0]!.server.connect({ user: 'a' }), sessionId);
  const readers = [0, 1].map(async (n) => Follower.join(await cluster.instances[n]!.server.connect({ user: 'r' + n }), sessionId));
  const rs = await Promise.all(readers);
  cluster.store.isFull = true;
  await author.write(...texts('a', 10));
  for (const reader of rs) await reader.reach(10);
  await cluster.hotLogFallsBack(sessionId, 6);
  cluster.store.isFull = false;
  await author.write('a-11');
  try {
    for (const r of rs) await Promise.race([r.reachSaved(11), new Promise((_, rej) => setTimeout(() => rej(new Error('slow')), 3000))]);
  } catch (e) {
    appendFileSync('/tmp/nc/dbg.log', `FAILED ${JSON.stringify(rs.map((r) => [r.head, r.saved, r.epoch, r.faults, r.client.all('session:forked'), r.client.all('session:closed')]))} ${JSON.stringify(await cluster.hotLog.describe([sessionId]))} ${JSON.stringify(await cluster.store.operationLog.head(sessionId))} ${JSON.stringify(author.refusals)} ${JSON.stringify(cluster.store.counts)}\n`);
    await cluster.stop();
    throw e;
  }
  await cluster.stop();
}, 30000);
