import { readFile } from 'node:fs/promises';
import { FlowClient } from '../../src/client/flow-client';
import type { FlowSession } from '../../src/client/session';
import { historyReply, live, readiness } from '../../src/http/schemas';
import { eventually } from './eventually';
import type { RedisServer } from './redis-server';
import { ask, type Processes, type ServerProcess } from './server-process';

/** How Redis goes away, and comes back with what it had. */
export const ABSENCES = {
  'killed with -9 and started again': {
    leave: (redis: RedisServer) => redis.kill(),
    comeBack: (redis: RedisServer) => redis.launch(),
  },
  'stopped (SIGSTOP)': {
    leave: async (redis: RedisServer) => redis.signal('SIGSTOP'),
    comeBack: async (redis: RedisServer) => redis.signal('SIGCONT'),
  },
} as const;

/** Someone who writes a number every so often, whatever happens. */
const WRITE_EVERY_MS = 40;
/** A command that nobody answers fails after a second, and readiness is looked at then. */
const NOTICED_MS = 3_000;

export interface Absence {
  /** Lines each instance wrote from the moment Redis went until all was well again. */
  readonly lines: readonly number[];
  /** By so much each instance's memory grew while Redis was away. */
  readonly grownBytes: readonly number[];
  /** From its return until everybody's edits were saved and all instances ready. */
  readonly recoveredMs: number;
  /** What each writer held, and each said of it, just before Redis came back. */
  readonly held: readonly number[];
  readonly said: readonly string[];
  /** Each one's numbers as the history has them. */
  readonly histories: ReadonlyArray<readonly number[]>;
  readonly written: readonly number[];
}

/** Two instances on one Redis, a writer at each, and Redis away for a while; expects on the way what can be seen only then. */
export async function withRedisAway(
  processes: Processes,
  redis: RedisServer,
  { leave, comeBack }: (typeof ABSENCES)[keyof typeof ABSENCES],
  awayMs: number,
): Promise<Absence> {
  const documents = await processes.directory();
  const servers = await Promise.all(
    ['one', 'two'].map((INSTANCE_ID) =>
      processes.startServer({
        documents,
        env: {
          REDIS_URL: redis.url,
          USE_REDIS_EVENT_ORDERING: 'true',
          USE_REDIS_COLLABORATION: 'true',
          USE_REDIS_WEBSOCKETS: 'true',
          FLOW_SECRET: 'the same on every instance',
          INSTANCE_ID,
        },
      }),
    ),
  );
  const [first] = servers;
  if (!first) throw new Error('there is no server');
  const writers = await Promise.all(servers.map(({ url }, index) => Writer.connect(url, `writer-${index}`)));
  const { sessionId } = await (writers[0] as Writer).client.createSession({ format: 'json' });
  for (const writer of writers) await writer.join(sessionId);
  try {
    await eventually('all goes well at first', () => writers.every(({ session }) => session.head.seq > 40));
    const linesBefore = servers.map(({ lines }) => lines.length);
    const memoryBefore = await Promise.all(servers.map(memoryOf));
    const leftAt = performance.now();
    await leave(redis);

    await eventually('no instance is ready', async () => expect(await reasonsOf(servers)).toEqual(UNREADY), NOTICED_MS);
    while (performance.now() - leftAt < awayMs) {
      for (const { url } of servers) expect((await ask(`${url}/health/live`, live)).status).toBe(200);
      expect(await reasonsOf(servers)).toEqual(UNREADY);
      await eventually('some time has passed', () => false, 250).catch(() => {});
    }
    const grownBytes = (await Promise.all(servers.map(memoryOf))).map(
      (bytes, index) => bytes - (memoryBefore[index] ?? 0),
    );
    const held = writers.map(({ session }) => session.counts.unsent + session.counts.ordered);
    const said = writers.map(({ session }) => session.status.state);

    await comeBack(redis);
    const backAt = performance.now();
    await eventually('all instances are ready', async () => expect(await reasonsOf(servers)).toEqual(READY));
    // What was written until now; they go on writing.
    const writtenThen = writers.map(({ written }) => written);
    await eventually('what was held is saved', () =>
      writers.every(({ session, written }, index) => {
        const unsaved = session.counts.unsent + session.counts.ordered;
        return written - unsaved >= (writtenThen[index] ?? 0);
      }),
    );
    const recoveredMs = performance.now() - backAt;
    for (const writer of writers) await writer.end();
    const lines = servers.map((server, index) => server.lines.length - (linesBefore[index] ?? 0));
    const history = await historyOf(first.url, sessionId);
    return {
      lines,
      grownBytes,
      recoveredMs,
      held,
      said,
      histories: writers.map(({ name }) => history.filter(([author]) => author === name).map(([, number]) => number)),
      written: writers.map(({ written }) => written),
    };
  } finally {
    for (const writer of writers) writer.close();
  }
}

const UNREADY = [['redis-unavailable'], ['redis-unavailable']];
const READY = [[], []];

const reasonsOf = (servers: readonly ServerProcess[]): Promise<string[][]> =>
  Promise.all(
    servers.map(async ({ url }) => (await ask(`${url}/health/ready`, readiness)).body.reasons.map(({ code }) => code)),
  );

async function memoryOf({ pid }: ServerProcess): Promise<number> {
  const [, kilobytes = ''] = /VmRSS:\s+(\d+) kB/.exec(await readFile(`/proc/${pid}/status`, 'utf8')) ?? [];
  return Number(kilobytes) * 1_024;
}

async function historyOf(url: string, sessionId: string): Promise<Array<[author: string, number: number]>> {
  const all: Array<[string, number]> = [];
  for (let after = 0; ; ) {
    const { body } = await ask(`${url}/api/sessions/${sessionId}/operations?limit=1000&after=${after}`, historyReply);
    const page = body.entries.flatMap(({ operations }) => operations) as Array<[string, number]>;
    if (page.length === 0) return all;
    all.push(...page);
    after = all.length;
  }
}

class Writer {
  readonly name: string;
  readonly client: FlowClient;
  written = 0;
  #session: FlowSession | undefined;
  #timer: NodeJS.Timeout | undefined;

  static async connect(url: string, name: string): Promise<Writer> {
    const client = new FlowClient({ url, token: name });
    client.connect();
    await eventually(`${name} is connected`, () => client.status.state === 'connected');
    return new Writer(name, client);
  }

  private constructor(name: string, client: FlowClient) {
    this.name = name;
    this.client = client;
  }

  get session(): FlowSession {
    if (!this.#session) throw new Error('it has not joined');
    return this.#session;
  }

  async join(sessionId: string): Promise<void> {
    this.#session = this.client.session(sessionId);
    await this.#session.join();
    this.#timer = setInterval(() => {
      this.written += 1;
      this.session.submit([[this.name, this.written]]);
    }, WRITE_EVERY_MS);
  }

  async end(): Promise<void> {
    clearInterval(this.#timer);
    await this.session.whenSaved();
  }

  close(): void {
    clearInterval(this.#timer);
    this.client.close();
  }
}
