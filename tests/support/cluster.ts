import type { Config } from '../../config/load-config';
import { systemClock } from '../../src/lib/clock';
import { MemoryEventOrdering } from '../../src/ordering/memory-event-ordering';
import { MemoryDocumentStore } from '../../src/storage/memory/memory-document-store';
import { FaultyStore } from './faulty-store';
import { LossyOrdering, type HintFates } from './lossy-ordering';
import { seededRandom } from '../../src/tools/seeded-random';
import { startServer, type TestServer } from './server';

export interface Instance {
  readonly server: TestServer;
  /** Its own view of the shared hot log. */
  readonly ordering: LossyOrdering;
}

interface ClusterOptions {
  readonly size: number;
  readonly seed?: number;
  readonly fates?: HintFates;
  readonly config?: Partial<Config>;
  /** False: no limit per caller holds, because the test does what no person does. */
  readonly isLimited?: boolean;
}

export const AUDIT_INTERVAL_MS = 100;

/** Several servers in this process that share one hot log and one store, over a feed that may fail. */
export class Cluster {
  readonly store: FaultyStore;
  readonly instances: readonly Instance[];
  #hotLog: MemoryEventOrdering;

  private constructor(store: FaultyStore, hotLog: MemoryEventOrdering, instances: readonly Instance[]) {
    this.store = store;
    this.#hotLog = hotLog;
    this.instances = instances;
  }

  static async start({ size, seed = 1, fates = {}, config = {}, isLimited = true }: ClusterOptions): Promise<Cluster> {
    const store = new FaultyStore(new MemoryDocumentStore());
    const hotLog = new MemoryEventOrdering({ clock: systemClock, scope: 'shared' });
    const instances: Instance[] = [];
    for (let index = 0; index < size; index += 1) {
      const ordering = new LossyOrdering(hotLog, seededRandom(seed + index));
      ordering.fates = fates;
      const server = await startServer({
        store,
        ordering,
        isLimited,
        config: {
          auditIntervalMs: AUDIT_INTERVAL_MS,
          instanceId: `instance-${index}`,
          stopDeadlineMs: 2_000,
          ...config,
        },
      });
      instances.push({ server, ordering });
    }
    return new Cluster(store, hotLog, instances);
  }

  /** The hot log is lost, for everyone. */
  loseHotLog(): void {
    this.#replaceHotLog(new MemoryEventOrdering({ clock: systemClock, scope: 'shared' }), 'vanished');
  }

  /** What a replica has of a session's hot log now, up to `seq`: `fallBackTo` makes it the hot log of everyone later. */
  async copyOfHotLog(sessionId: string, seq = Number.POSITIVE_INFINITY): Promise<MemoryEventOrdering> {
    const read = await this.#hotLog.read(sessionId, 0, Number.MAX_SAFE_INTEGER);
    if (!read) throw new Error('there is no hot log');
    const { epoch, saved } = read.log;
    const copy = new MemoryEventOrdering({ clock: systemClock, scope: 'shared' });
    await copy.seed(sessionId, epoch, saved);
    for (const { clientId, clientSeq, count, userId, operations, seq: entrySeq } of read.entries) {
      if (entrySeq > seq) break;
      await copy.admit(sessionId, epoch, clientId, await this.store.operationLog.clientRow(sessionId, clientId));
      await copy.append(sessionId, {
        epoch,
        clientId,
        userId,
        firstClientSeq: clientSeq - count + 1,
        count,
        operations,
      });
    }
    return copy;
  }

  fallBackTo(copy: MemoryEventOrdering): void {
    this.#replaceHotLog(copy, 'fell-back');
  }

  get hotLog(): MemoryEventOrdering {
    return this.#hotLog;
  }

  async stop(): Promise<void> {
    this.store.isFull = false;
    await Promise.all(this.instances.map(({ server }) => server.stop()));
  }

  #replaceHotLog(hotLog: MemoryEventOrdering, how: 'vanished' | 'fell-back'): void {
    this.#hotLog = hotLog;
    for (const { ordering } of this.instances) ordering.replace(hotLog, how);
  }
}

/** Clusters that are stopped after each test. */
export function useClusters(): (options: ClusterOptions) => Promise<Cluster> {
  const started: Cluster[] = [];
  afterEach(async () => {
    await Promise.all(started.splice(0).map((cluster) => cluster.stop()));
  });
  return async (options) => {
    const cluster = await Cluster.start(options);
    started.push(cluster);
    return cluster;
  };
}
