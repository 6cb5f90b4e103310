import { FlowClient, type FlowClientOptions } from '../../../src/client/flow-client';
import type { FlowSession } from '../../../src/client/session';
import type { Config } from '../../../config/load-config';
import type { SessionInfo } from '../../../src/protocol/schemas';
import type { DocumentStore } from '../../../src/storage/document-store';
import { MemoryDocumentStore } from '../../../src/storage/memory/memory-document-store';
import { eventually } from '../../support/eventually';
import { startServer, type TestServer } from '../../support/server';
import { Gateway } from './gateway';

/** A store whose disk can be made to wait. */
class WaitingStore {
  readonly store: DocumentStore;
  #gate: Promise<void> | null = null;
  #open: () => void = () => {};

  constructor(inner: DocumentStore) {
    const { operationLog } = inner;
    const waiting = Object.create(operationLog, {
      save: {
        value: async (saves: Parameters<typeof operationLog.save>[0]) => {
          await this.#gate;
          return operationLog.save(saves);
        },
      },
    }) as typeof operationLog;
    for (const name of ['head', 'openEpoch', 'readAfter', 'tagAt', 'clientRow', 'prune'] as const) {
      Object.defineProperty(waiting, name, { value: operationLog[name].bind(operationLog) });
    }
    Object.defineProperty(waiting, 'durability', { value: operationLog.durability });
    this.store = {
      kind: inner.kind,
      operationLog: waiting,
      sessionRecords: inner.sessionRecords,
      sessionRoles: inner.sessionRoles,
      snapshots: inner.snapshots,
      accessChanges: inner.accessChanges,
      start: async () => {},
      stop: async () => {},
    };
  }

  hold(): void {
    this.#gate ??= new Promise((resolve) => {
      this.#open = resolve;
    });
  }

  letGo(): void {
    this.#gate = null;
    this.#open();
  }
}

/** Short enough for tests, long enough that a retry is not a storm. */
export const QUICK_BACKOFF = { firstMs: 20, ceilingMs: 200 };

/** One real server at a time over one store, behind a network that can be cut. Everything is stopped with `stop`. */
export class World {
  readonly gateway = new Gateway();
  documents = new MemoryDocumentStore();
  readonly #config: Partial<Config>;
  readonly #servers: Array<{ server: TestServer; waiting: WaitingStore }> = [];
  readonly #clients: FlowClient[] = [];

  constructor(config: Partial<Config> = {}) {
    this.#config = config;
  }

  async start(): Promise<this> {
    await this.gateway.start();
    await this.startServer();
    return this;
  }

  get server(): TestServer {
    return this.#current.server;
  }

  /** A client of this world; it is closed with it. */
  client(options: Partial<FlowClientOptions> = {}): FlowClient {
    const client = new FlowClient({
      url: this.gateway.url,
      backoff: QUICK_BACKOFF,
      requestDeadlineMs: 5_000,
      ...options,
    });
    this.#clients.push(client);
    return client;
  }

  async createSession(format: 'yjs' | 'json'): Promise<SessionInfo> {
    const client = this.client();
    const session = await client.createSession({ format });
    client.close();
    return session;
  }

  /** A joined session on a client of its own. */
  async joined(sessionId: string, options: Partial<FlowClientOptions> = {}): Promise<FlowSession> {
    const session = this.client(options).session(sessionId);
    await session.join();
    return session;
  }

  /** From now on nothing is saved. */
  holdSaves(): void {
    this.#current.waiting.hold();
  }

  letSave(): void {
    this.#current.waiting.letGo();
  }

  /** What was ordered and not saved is gone with the process; nobody hears of it. */
  async kill(): Promise<void> {
    this.#current.waiting.hold();
    this.gateway.route(null);
    this.gateway.cut();
    await this.startServer();
  }

  /** The server stops as it should, then another takes its place. */
  async restart(): Promise<void> {
    await this.server.stop();
    await this.startServer();
  }

  /** The store is replaced by an old backup: the sessions are there, their histories are not. */
  async restoreEmptyBackup(...sessionIds: string[]): Promise<void> {
    const backup = new MemoryDocumentStore();
    for (const sessionId of sessionIds) {
      const record = await this.documents.sessionRecords.get(sessionId);
      if (record) await backup.sessionRecords.create(record);
    }
    this.documents = backup;
    await this.kill();
  }

  /** No way to the server until `reconnect`. */
  disconnect(): void {
    this.gateway.route(null);
    this.gateway.cut();
  }

  reconnect(): void {
    this.gateway.route(this.server.url);
  }

  async startServer(config: Partial<Config> = {}): Promise<void> {
    const waiting = new WaitingStore(this.documents);
    const server = await startServer({
      store: waiting.store,
      config: { stopDeadlineMs: 5_000, ...this.#config, ...config },
    });
    this.#servers.push({ server, waiting });
    this.gateway.route(server.url);
  }

  /** The history as the server would tell a newcomer, operation by operation. */
  async history(sessionId: string): Promise<unknown[]> {
    const entries = await this.documents.operationLog.readAfter(sessionId, 0, Number.MAX_SAFE_INTEGER);
    return entries.flatMap(({ operations }): unknown[] => JSON.parse(operations));
  }

  async stop(): Promise<void> {
    for (const client of this.#clients) client.close();
    for (const { waiting } of this.#servers) waiting.letGo();
    await Promise.all(this.#servers.map(({ server }) => server.stop()));
    await this.gateway.stop();
  }

  get #current(): { server: TestServer; waiting: WaitingStore } {
    const current = this.#servers[this.#servers.length - 1];
    if (!current) throw new Error('the world was not started');
    return current;
  }
}

export function useWorld(config: Partial<Config> = {}): () => World {
  let world: World | undefined;
  beforeEach(async () => {
    world = await new World(config).start();
  });
  afterEach(() => world?.stop());
  return () => {
    if (!world) throw new Error('there is no world outside of a test');
    return world;
  };
}

/** The document of a session whose operations are its content: follows deliveries, resets and forks. */
export class Follower {
  readonly operations: unknown[] = [];
  readonly events: string[] = [];

  constructor(session: FlowSession) {
    session.on('reset', ({ snapshot }) => {
      this.events.push('reset');
      this.operations.splice(0, this.operations.length, ...(Array.isArray(snapshot?.payload) ? snapshot.payload : []));
    });
    session.on('fork', ({ rolledBack }) => {
      this.events.push('fork');
      this.operations.length -= rolledBack.flatMap(({ operations }) => operations).length;
    });
    session.on('entries', ({ entries }) => this.operations.push(...entries.flatMap(({ operations }) => operations)));
  }
}

export const untilSynced = (session: FlowSession): Promise<void> =>
  eventually(`synced, but is ${JSON.stringify(session.status)}`, () => session.status.state === 'synced');

/** Where only the content counts, not its order. */
export const sorted = (values: readonly unknown[]): string[] =>
  values.map(String).sort((one, other) => one.localeCompare(other));
