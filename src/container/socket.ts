import { asFunction } from 'awilix';
import { SocketEdge } from '../socket/socket-edge';
import type { AccessCradle } from './access';
import type { ConnectionsCradle } from './connections';
import type { GivenCradle } from './given';
import type { LimitsCradle } from './limits';
import type { LiveCradle } from './live';
import type { Registrations } from './registrations';
import type { SessionsCradle } from './sessions';
import type { TelemetryCradle } from './telemetry';

export interface SocketCradle {
  readonly socketEdge: SocketEdge;
}

type Cradle = GivenCradle &
  TelemetryCradle &
  AccessCradle &
  ConnectionsCradle &
  LimitsCradle &
  LiveCradle &
  SessionsCradle;

export const socketRegistrations: Registrations<SocketCradle> = {
  socketEdge: asFunction(makeSocketEdge).singleton(),
};

function makeSocketEdge(cradle: Cradle): SocketEdge {
  const { io, sockets, collaboration, openSessions, slowConsumers, authentication, revocations } = cradle;
  const { arrivals, userLimits } = cradle;
  const { authorisation, telemetry, clock, log, config } = cradle;
  return new SocketEdge({
    io,
    sockets,
    collaboration,
    openSessions,
    slowConsumers,
    authentication,
    revocations,
    arrivals,
    userLimits,
    authorisation,
    telemetry,
    clock,
    log,
    limits: config,
  });
}
