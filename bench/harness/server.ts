import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import path from 'node:path';
import { buildSync } from 'esbuild';
import { UNLIMITED } from '../../config/unlimited';
import { within } from './deadline';
import { BENCH, FLOW_ENTRY, scratchDirectory } from './paths';
import { pinnedNode, roaming } from './pinning';
import type { Answer, Question } from './probe-protocol';

export const SYSTEMS = ['ws relay', 'Socket.IO relay', 'Flow'] as const;
/** Two processes each, with a Redis between them. */
export const SYSTEMS_ON_REDIS = ['Socket.IO relay with redis-adapter', 'Flow on Redis'] as const;
export type SingleSystemName = (typeof SYSTEMS)[number];
export type SystemName = SingleSystemName | (typeof SYSTEMS_ON_REDIS)[number];

export type Usage = Omit<Answer, 'id'>;

const START_DEADLINE_MS = 15_000;
/** Beyond Flow's own deadline for stopping. */
const STOP_DEADLINE_MS = 20_000;
const ANSWER_DEADLINE_MS = 30_000;

/** A server under measurement, in a process of its own, gone after `stop` with all it wrote. */
export class MeasuredServer {
  readonly port: number;
  readonly #process: ChildProcess;
  readonly #documents: string;
  readonly #exited: Promise<void>;
  readonly #waiting = new Map<number, (answer: Answer) => void>();
  #questions = 0;

  static async start(
    system: SystemName,
    options: {
      env?: Record<string, string>;
      nodeFlags?: readonly string[];
      documents?: string;
      /** Has no core to itself: there are more servers than cores. */
      isRoaming?: boolean;
    } = {},
  ): Promise<MeasuredServer> {
    const { env = {}, nodeFlags = [], isRoaming = false } = options;
    const documents = options.documents ?? makeDocumentDirectory();
    const port = await freePort();
    const nodeArgs = [...nodeFlags, '--require', compiled('harness/probe.ts'), entryOf(system)];
    const [command, args] = isRoaming ? roaming(process.execPath, nodeArgs) : pinnedNode(nodeArgs);
    const child = spawn(command, args, {
      // Not this process's environment: what the tools around the benchmark set is not part of the question.
      env: {
        PATH: process.env['PATH'],
        PORT: String(port),
        HOST: '127.0.0.1',
        DOCUMENT_DIR: documents,
        LOG_LEVEL: 'warn',
        // One program plays everybody, faster than people.
        ...UNLIMITED,
        ...env,
      },
      stdio: ['ignore', process.stderr, process.stderr, 'ipc'],
    });
    const server = new MeasuredServer(child, port, documents);
    await within(START_DEADLINE_MS, `the ${system} to start`, once(child, 'message'));
    return server;
  }

  private constructor(child: ChildProcess, port: number, documents: string) {
    this.#process = child;
    this.port = port;
    this.#documents = documents;
    this.#exited = once(child, 'exit').then(() => {});
    child.on('message', (answer: Answer | 'ready') => {
      if (answer === 'ready') return;
      this.#waiting.get(answer.id)?.(answer);
      this.#waiting.delete(answer.id);
    });
  }

  ask(ask: Question['ask']): Promise<Usage> {
    const id = (this.#questions += 1);
    const answered = new Promise<Answer>((resolve) => this.#waiting.set(id, resolve));
    this.#process.send({ id, ask } satisfies Question);
    return within(ANSWER_DEADLINE_MS, `an answer to "${ask}"`, answered);
  }

  /** Stops the process as an operator would. `keepDocuments`: the next server goes on with them. */
  async stop({ keepDocuments = false } = {}): Promise<void> {
    try {
      this.#process.kill('SIGTERM');
      await within(STOP_DEADLINE_MS, 'the server to stop', this.#exited);
    } finally {
      this.#process.kill('SIGKILL');
      if (!keepDocuments) rmSync(this.#documents, { recursive: true, force: true });
    }
  }
}

export const makeDocumentDirectory = (): string => mkdtempSync(path.join(scratchDirectory(), 'documents-'));

function entryOf(system: SystemName): string {
  switch (system) {
    case 'ws relay':
      return compiled('relays/ws-relay.ts');
    case 'Socket.IO relay':
      return compiled('relays/socketio-relay.ts');
    case 'Socket.IO relay with redis-adapter':
      return compiled('relays/socketio-redis-relay.ts');
    case 'Flow':
    case 'Flow on Redis':
      return FLOW_ENTRY;
  }
}

/** Plain JavaScript, as Flow is when it runs: a loader in the process would count as the relay's memory. */
function compiled(file: string): string {
  const outfile = path.join(scratchDirectory(), 'compiled', file.replace(/\.ts$/, '.js'));
  buildSync({
    entryPoints: [path.join(BENCH, file)],
    outfile,
    bundle: true,
    packages: 'external',
    platform: 'node',
    target: 'node20',
  });
  return outfile;
}

export async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  server.close();
  await once(server, 'close');
  if (address === null || typeof address === 'string') throw new Error('no TCP port was free');
  return address.port;
}
