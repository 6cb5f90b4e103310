import { createServer } from 'node:http';
import { constants } from 'node:os';
import express from 'express';
import type { Config } from '../config/load-config';
import { assembleFlow, type FlowOptions } from './flow';
import { sendRefusal } from './http/outgoing';
import { systemClock } from './lib/clock';
import { endStalled, httpLimits } from './lib/http-limits';
import { listen, type Listening } from './lib/listen';
import { createLogger, type Logger } from './lib/logger';
import { RecentWarnings } from './lib/recent-warnings';
import { secureHeaders } from './lib/secure-headers';
import { faultCode, rootOf } from './lib/system-faults';
import type { StopReport } from './live/open-sessions';
import { FlowError } from './protocol/errors';

/** The stand-alone server: an Express app and an HTTP server of its own around one flow. */
export interface App {
  /** Resolves when connections are accepted. */
  start(): Promise<void>;
  stop(): Promise<StopReport>;
  /** Where the server is reached, such as http://localhost:3001. Only after `start`. */
  readonly url: string;
}

export function createApp(
  config: Config,
  options: Omit<FlowOptions, 'httpServer' | 'config'> & { log?: Logger } = {},
): App {
  const warnings = options.warnings ?? new RecentWarnings({ clock: options.clock ?? systemClock });
  const log = options.log ?? createLogger({ level: config.logLevel, instanceId: config.instanceId, warnings });
  const web = express();
  web.disable('x-powered-by');
  const httpServer = createServer(httpLimits(config.handshakeTimeoutMs), web);
  endStalled(httpServer, config.handshakeTimeoutMs);
  const flow = assembleFlow(config, { ...options, httpServer, log, warnings });
  web.use(secureHeaders);
  web.use(flow.router, flow.pages);
  web.use((_request, response) => sendRefusal(response, new FlowError('BAD_REQUEST', 'There is nothing here.'), 404));
  let listening: Listening | undefined;
  let hasStarted = false;

  function letGo(): void {
    listening?.stop();
    httpServer.closeAllConnections();
  }

  return {
    async start() {
      // First, so that a server that waits for another one can say so; until it has started it lets nobody in.
      try {
        listening = await listen(httpServer, config.host, config.port);
      } catch (fault) {
        await flow.stop();
        throw listenFault(fault, config);
      }
      try {
        await flow.start();
      } catch (fault) {
        letGo();
        throw directoryFault(fault) ?? fault;
      }
      hasStarted = true;
      log.info({ addresses: listening.addresses, port: listening.port }, `Flow Backend listens on ${this.url}`);
    },
    async stop() {
      const report = await flow.stop();
      letGo();
      if (hasStarted) log.info({ ...report }, 'stopped');
      return report;
    },
    get url() {
      if (!listening) throw new Error('The server does not listen yet.');
      const host = config.host.includes(':') ? `[${config.host}]` : config.host;
      return `http://${host}:${listening.port}`;
    },
  };
}

/** What to do about an address that cannot be listened on. */
const LISTEN_REMEDIES: Readonly<Record<string, string>> = {
  EADDRINUSE: 'Another program has it: stop that one, or set PORT.',
  EACCES: 'This user may not have it: set PORT to one from 1024 on.',
  EADDRNOTAVAIL: 'This machine has no such address: set HOST.',
  ENOTFOUND: 'There is no such host: set HOST.',
};

function listenFault(cause: unknown, { host, port }: Config): Error {
  const remedy = LISTEN_REMEDIES[faultCode(cause)];
  return new Error(`Cannot listen on port ${port} of ${host}.${remedy ? ` ${remedy}` : ''}`, { cause });
}

const NO_DIRECTORY = 'Set DOCUMENT_DIR to a directory: it is the path of something else, or below it.';
const NOT_WRITABLE = 'Set DOCUMENT_DIR to a directory that this user may write, or let the user write there.';
const NO_ROOM = 'Make room on the disk, or set DOCUMENT_DIR to a directory on another one.';

/** What to do about a directory where documents cannot be kept. The store engine says some codes as numbers. */
const DIRECTORY_REMEDIES: Readonly<Record<string, string>> = {
  EEXIST: NO_DIRECTORY,
  ENOTDIR: NO_DIRECTORY,
  ENOENT: 'Set DOCUMENT_DIR to where a directory can be made.',
  EACCES: NOT_WRITABLE,
  EPERM: NOT_WRITABLE,
  EROFS: NOT_WRITABLE,
  [constants.errno.EACCES]: NOT_WRITABLE,
  [constants.errno.EPERM]: NOT_WRITABLE,
  [constants.errno.EROFS]: NOT_WRITABLE,
  ENOSPC: NO_ROOM,
  EDQUOT: NO_ROOM,
  [constants.errno.ENOSPC]: NO_ROOM,
  [constants.errno.EDQUOT]: NO_ROOM,
};

/** Null: it is about something else. */
function directoryFault(cause: unknown): Error | null {
  const remedy = DIRECTORY_REMEDIES[faultCode(rootOf(cause))];
  return remedy === undefined ? null : new Error(remedy, { cause });
}
