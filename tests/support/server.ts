import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { loadConfig, type Config } from '../../config/load-config';
import { UNLIMITED } from '../../config/unlimited';
import { createApp, type App } from '../../src/app';
import type { FlowHooks } from '../../src/flow';
import type { EventOrdering } from '../../src/ordering/event-ordering';
import { silentLogger, type Logger } from '../../src/lib/logger';
import type { StopReport } from '../../src/live/open-sessions';
import type { RecentWarnings } from '../../src/lib/recent-warnings';
import type { DocumentStore } from '../../src/storage/document-store';
import { WireClient, type WireClientOptions } from './wire-client';

export interface ServerOptions {
  readonly config?: Partial<Config>;
  readonly store?: DocumentStore;
  readonly ordering?: EventOrdering;
  readonly hooks?: FlowHooks;
  readonly log?: Logger;
  /** False: no limit per caller holds, because the test does what no person does. */
  readonly isLimited?: boolean;
  readonly warnings?: RecentWarnings;
  /** An lmdb store in this directory, which stays; a directory of its own, which goes, unless given. */
  readonly documentDir?: string;
  /** Another version of the server. */
  readonly createApp?: typeof createApp;
}

/** The whole server on a free port of this machine, and everyone who is connected to it. */
export class TestServer {
  readonly app: App;
  readonly config: Config;
  readonly #clients: WireClient[] = [];
  readonly #cleanUp: () => Promise<void>;
  #stopped: Promise<StopReport> | undefined;

  constructor(app: App, config: Config, cleanUp: () => Promise<void>) {
    this.app = app;
    this.config = config;
    this.#cleanUp = cleanUp;
  }

  get url(): string {
    return this.app.url;
  }

  /** A connected client; it goes with the server. */
  async connect(options: WireClientOptions = {}): Promise<WireClient> {
    const client = await WireClient.connect(this.url, options);
    this.#clients.push(client);
    return client;
  }

  async stats(): Promise<ServerStats> {
    const response = await fetch(`${this.url}/ws/stats`);
    return (await response.json()) as ServerStats;
  }

  /** Twice is once. */
  stop(): Promise<StopReport> {
    this.#stopped ??= this.#stop();
    return this.#stopped;
  }

  async #stop(): Promise<StopReport> {
    const report = await this.app.stop();
    for (const client of this.#clients) client.close();
    await this.#cleanUp();
    return report;
  }
}

/** What these tests read of /ws/stats. */
export interface ServerStats {
  readonly connections: { readonly local: number };
  readonly sessions: { readonly open: number; readonly participants: number };
  readonly operations: {
    readonly ordered: number;
    readonly delivered: number;
    readonly saved: number;
    readonly duplicates: number;
    readonly refused: number;
    readonly gapsRepaired: number;
    readonly forks: number;
  };
}

export async function startServer(options: ServerOptions = {}): Promise<TestServer> {
  const { store, ordering, hooks, warnings, log = silentLogger, isLimited = true } = options;
  const make = options.createApp ?? createApp;
  const ownDir = options.documentDir === undefined ? await mkdtemp(join(tmpdir(), 'flow-test-')) : undefined;
  const config: Config = {
    ...loadConfig(isLimited ? {} : UNLIMITED),
    host: '127.0.0.1',
    port: 0,
    documentStore: options.documentDir === undefined ? 'memory' : 'lmdb',
    documentDir: options.documentDir ?? ownDir ?? '',
    flowSecret: 'the secret of all servers in tests',
    ...options.config,
  };
  const app = make(config, {
    log,
    ...(store ? { store } : {}),
    ...(ordering ? { ordering } : {}),
    ...(hooks ? { hooks } : {}),
    ...(warnings ? { warnings } : {}),
  });
  const cleanUp = async (): Promise<void> => {
    if (ownDir !== undefined) await rm(ownDir, { recursive: true, force: true });
  };
  try {
    await app.start();
  } catch (fault) {
    await cleanUp();
    throw fault;
  }
  return new TestServer(app, config, cleanUp);
}

/** Starts servers that are stopped after each test of the file or block it is called in. */
export function useServers(): (options?: ServerOptions) => Promise<TestServer> {
  const started: TestServer[] = [];
  afterEach(async () => {
    await Promise.all(started.splice(0).map((server) => server.stop()));
  });
  return async (options) => {
    const server = await startServer(options);
    started.push(server);
    return server;
  };
}

/** Directories that are gone after each test of the file or block it is called in. */
export function useDirectories(): () => Promise<string> {
  const made: string[] = [];
  afterEach(async () => {
    for (const directory of made.splice(0)) await rm(directory, { recursive: true, force: true });
  });
  return async () => {
    const directory = await mkdtemp(join(tmpdir(), 'flow-test-'));
    made.push(directory);
    return directory;
  };
}
