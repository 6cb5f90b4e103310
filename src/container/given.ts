import type { Server as HttpServer } from 'node:http';
import { asValue } from 'awilix';
import type { Config } from '../../config/load-config';
import type { Authenticate, Authorize } from '../access/access';
import type { Clock } from '../lib/clock';
import type { Logger } from '../lib/logger';
import type { EventOrdering } from '../ordering/event-ordering';
import type { Position } from '../protocol/positions';
import type { SessionInfo } from '../protocol/schemas';
import type { DocumentStore } from '../storage/document-store';
import type { Registrations } from './registrations';

/** What the surroundings decide; everything else is chosen here. */
export interface Given {
  /** Of this program. */
  readonly version: string;
  readonly config: Config;
  readonly httpServer: HttpServer;
  /** Path of the Socket.IO endpoint. */
  readonly socketPath: string;
  /** The application's own, instead of what AUTH_MODE says. */
  readonly authenticate: Authenticate | undefined;
  /** The application's own, instead of the stored roles. */
  readonly authorize: Authorize | undefined;
  readonly onSessionOpened: ((session: SessionInfo) => void) | undefined;
  readonly onSaved: ((saved: { sessionId: string } & Position) => void) | undefined;
  /** A store of the embedder's own instead of the configured one. */
  readonly store: DocumentStore | undefined;
  /** An order shared with other servers of the same process instead of one's own. */
  readonly ordering: EventOrdering | undefined;
  readonly clock: Clock;
  readonly log: Logger;
  readonly phase: () => 'starting' | 'ready' | 'draining';
}

export interface GivenCradle {
  readonly given: Given;
  readonly config: Config;
  readonly clock: Clock;
  readonly log: Logger;
}

export const givenRegistrations = (given: Given): Registrations<GivenCradle> => ({
  given: asValue(given),
  config: asValue(given.config),
  clock: asValue(given.clock),
  log: asValue(given.log),
});
