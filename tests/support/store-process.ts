import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { ERRORS, FlowError, type ErrorCode } from '../../src/protocol/errors';
import type { DocumentStore } from '../../src/storage/document-store';

const CHILD = join(__dirname, 'store-child.ts');
/** What lets node run TypeScript. */
const TSX = pathToFileURL(require.resolve('tsx')).href;

interface StoreOptions {
  readonly directory: string;
  readonly durability?: 'fsync' | 'buffered';
  readonly initialMapBytes?: number;
}

/** What the parent asks of the child; with `options` the store is made first. */
export interface StoreCall {
  readonly id: number;
  readonly store: number;
  readonly port?: 'operationLog' | 'sessionRecords' | 'sessionRoles' | 'snapshots' | 'accessChanges';
  readonly method: string;
  readonly args: readonly unknown[];
  readonly options?: StoreOptions & { readonly durability: 'fsync' | 'buffered' };
}

export interface StoreReply {
  readonly isReady?: true;
  readonly id?: number;
  readonly answer?: unknown;
  readonly fault?: { readonly code: string; readonly message: string };
  readonly unhandled?: string;
}

/** LMDB stores in a process of their own. It ends with its parent. */
export class StoreProcess {
  readonly #child: ChildProcess;
  readonly #calls = new Map<number, { resolve: (answer: unknown) => void; reject: (fault: Error) => void }>();
  readonly #unhandled: string[] = [];
  #count = 0;

  private constructor(child: ChildProcess) {
    this.#child = child;
    child.on('message', (reply: StoreReply) => this.#settle(reply));
    child.on('exit', () => {
      for (const { reject } of this.#calls.values()) reject(new Error('the store process has ended'));
      this.#calls.clear();
    });
  }

  /** `prefix` is a command to run node under, such as strace with its options. */
  static async start(prefix: readonly string[] = []): Promise<StoreProcess> {
    const [command, ...args] = [...prefix, process.execPath, '--import', TSX, CHILD];
    const child = spawn(command ?? process.execPath, args, {
      stdio: ['ignore', 'ignore', 'ignore', 'ipc'],
      serialization: 'advanced',
    });
    await once(child, 'message');
    return new StoreProcess(child);
  }

  get pid(): number {
    if (this.#child.pid === undefined) throw new Error('the store process has not started');
    return this.#child.pid;
  }

  /** Rejections nobody handled: there must be none. */
  get unhandled(): readonly string[] {
    return this.#unhandled;
  }

  /** A started store over there. What it answers has crossed a process boundary. */
  async open(options: StoreOptions): Promise<DocumentStore> {
    const store = (this.#count += 1);
    await this.#call({ store, method: 'start', args: [], options: { durability: 'fsync', ...options } });
    const portOf = (port: NonNullable<StoreCall['port']>): unknown =>
      new Proxy(
        {},
        {
          get:
            (_, method) =>
            (...args: unknown[]) =>
              this.#call({ store, port, method: String(method), args }),
        },
      );
    // The proxies pass every method on; that the other side has it is what the contract suites find out.
    return {
      kind: 'lmdb',
      operationLog: portOf('operationLog'),
      sessionRecords: portOf('sessionRecords'),
      sessionRoles: portOf('sessionRoles'),
      snapshots: portOf('snapshots'),
      accessChanges: portOf('accessChanges'),
      start: () => this.#call({ store, method: 'start', args: [] }),
      stop: () => this.#call({ store, method: 'stop', args: [] }),
    } as DocumentStore;
  }

  async end(signal: NodeJS.Signals = 'SIGTERM'): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    const ended = once(this.#child, 'exit');
    this.#child.kill(signal);
    await ended;
  }

  #call(call: Omit<StoreCall, 'id'>): Promise<unknown> {
    const id = (this.#count += 1);
    return new Promise((resolve, reject) => {
      this.#calls.set(id, { resolve, reject });
      this.#child.send({ id, ...call } satisfies StoreCall, (fault) => {
        if (fault) this.#settle({ id, fault: { code: 'UNKNOWN', message: fault.message } });
      });
    });
  }

  #settle({ id, answer, fault, unhandled }: StoreReply): void {
    if (unhandled !== undefined) this.#unhandled.push(unhandled);
    const call = id === undefined ? undefined : this.#calls.get(id);
    if (id === undefined || !call) return;
    this.#calls.delete(id);
    if (!fault) call.resolve(answer);
    else call.reject(isErrorCode(fault.code) ? new FlowError(fault.code, fault.message) : new Error(fault.message));
  }
}

const isErrorCode = (code: string): code is ErrorCode => Object.hasOwn(ERRORS, code);
