import { asFunction } from 'awilix';
import { MemoryWebSocketManager } from '../connections/memory-websocket-manager';
import { RedisWebSocketManager } from '../connections/redis-websocket-manager';
import type { WebSocketManager } from '../connections/websocket-manager';
import { peerAddress } from '../lib/peer-address';
import { createSocketServer } from '../socket/socket-server';
import type { AccessCradle } from './access';
import type { GivenCradle } from './given';
import type { InstancesCradle } from './instances';
import type { LimitsCradle } from './limits';
import type { RedisCradle } from './redis';
import type { Registrations } from './registrations';

export interface ConnectionsCradle {
  readonly io: ReturnType<typeof createSocketServer>;
  readonly localSockets: MemoryWebSocketManager;
  /** Null: the WebSocket Manager is in memory. */
  readonly adapter: RedisWebSocketManager | null;
  readonly sockets: WebSocketManager;
}

type Cradle = ConnectionsCradle & GivenCradle & AccessCradle & InstancesCradle & LimitsCradle & RedisCradle;

export const connectionsRegistrations: Registrations<ConnectionsCradle> = {
  io: asFunction(({ given, config, arrivals, originRules }: Cradle) =>
    createSocketServer({
      httpServer: given.httpServer,
      path: given.socketPath,
      maxBatchBytes: config.maxBatchBytes,
      handshakeMs: config.handshakeTimeoutMs,
      originRules,
      isDoorOpen: (request) => arrivals.isDoorOpen(peerAddress(request, config.trustProxy)),
      phase: given.phase,
    }),
  ).singleton(),
  localSockets: asFunction(({ io }: Cradle) => new MemoryWebSocketManager({ io })).singleton(),
  adapter: asFunction(chooseAdapter).singleton(),
  sockets: asFunction(({ adapter, localSockets }: Cradle): WebSocketManager => adapter ?? localSockets).singleton(),
};

function chooseAdapter(cradle: Cradle): RedisWebSocketManager | null {
  const { config, redis, redisKeys: keys, localSockets: here, redisInstances: instances, io, clock, log } = cradle;
  if (config.backends.websockets === 'memory' || !redis || !instances) return null;
  return new RedisWebSocketManager({ here, io, redis, keys, instances, clock, log });
}
