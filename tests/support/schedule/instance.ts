import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import { callerLimitNames } from '../../../config/schema';
import type { SettingValues } from '../../../config/setting-values';
import type { createFlow, Flow, FlowHooks } from '../../../src/flow';
import type { Logger } from '../../../src/lib/logger';
import type { EventOrdering } from '../../../src/ordering/event-ordering';
import type { DocumentStore } from '../../../src/storage/document-store';
import type { Severance } from './severance';

export interface InstanceOptions {
  readonly name: string;
  readonly createFlow: typeof createFlow;
  readonly config: SettingValues;
  readonly store: DocumentStore;
  readonly ordering: EventOrdering;
  readonly severance: Severance;
  readonly hooks: FlowHooks;
  readonly log: Logger;
}

/** Whoever looks into a server from outside asks far more often than people do, and would be cut off for it. */
const NO_LIMITS: SettingValues = Object.fromEntries(callerLimitNames.map((name) => [name, 0]));

/** One server of a schedule: started, drained, or killed so that nothing of it has any effect afterwards. */
export class Instance {
  readonly name: string;
  readonly #severance: Severance;
  readonly #http: Server = createServer();
  readonly #flow: Flow;
  readonly #sockets = new Set<Socket>();
  #ended: Promise<unknown> | undefined;

  constructor({ name, createFlow, config, store, ordering, severance, hooks, log }: InstanceOptions) {
    this.name = name;
    this.#severance = severance;
    this.#http.on('connection', (socket) => {
      this.#sockets.add(socket);
      socket.on('close', () => this.#sockets.delete(socket));
    });
    this.#flow = createFlow({
      httpServer: this.#http,
      config: { ...NO_LIMITS, ...config, instanceId: name },
      store,
      ordering,
      hooks,
      log,
    });
  }

  get port(): number {
    return (this.#http.address() as AddressInfo).port;
  }

  /** Neither draining nor dead. */
  get isServing(): boolean {
    return this.#ended === undefined && this.#http.listening;
  }

  async start(): Promise<void> {
    await this.#flow.start();
    this.#http.listen(0, '127.0.0.1');
    await once(this.#http, 'listening');
  }

  /** As kill -9: at this instant, without a word. What is left of it is cleared away in the background. */
  kill(): void {
    if (this.#severance.isSevered) return;
    this.#severance.sever();
    this.#http.close();
    for (const socket of this.#sockets) socket.destroy();
    this.#ended = Promise.all([this.#ended, this.#flow.stop()]);
  }

  /** Tells its clients, saves, ends. */
  async drain(): Promise<readonly string[]> {
    const stopped = this.#flow.stop().then(({ unsavedSessions }) => {
      this.#http.close();
      this.#http.closeAllConnections();
      return unsavedSessions;
    });
    this.#ended ??= stopped;
    return stopped;
  }

  /** Resolves when nothing of it is left. */
  async ended(): Promise<void> {
    this.#ended ??= this.drain();
    await this.#ended;
    for (const socket of this.#sockets) socket.destroy();
    if (this.#http.listening) await new Promise((resolve) => this.#http.close(resolve));
  }
}
