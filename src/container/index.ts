import { type AwilixContainer, createContainer, InjectionMode } from 'awilix';
import { type AccessCradle, accessRegistrations } from './access';
import { type ConnectionsCradle, connectionsRegistrations } from './connections';
import { type Given, type GivenCradle, givenRegistrations } from './given';
import { type InstancesCradle, instancesRegistrations } from './instances';
import { type LimitsCradle, limitsRegistrations } from './limits';
import { type LiveCradle, liveRegistrations } from './live';
import { type OrderingCradle, orderingRegistrations } from './ordering';
import { type RedisCradle, redisRegistrations } from './redis';
import { type SessionsCradle, sessionsRegistrations } from './sessions';
import { type SocketCradle, socketRegistrations } from './socket';
import { type StorageCradle, storageRegistrations } from './storage';
import { type TelemetryCradle, telemetryRegistrations } from './telemetry';

type Cradle = GivenCradle &
  TelemetryCradle &
  RedisCradle &
  StorageCradle &
  LimitsCradle &
  SessionsCradle &
  AccessCradle &
  OrderingCradle &
  InstancesCradle &
  ConnectionsCradle &
  LiveCradle &
  SocketCradle;

/**
 * The only place that knows which implementation stands behind a port: one file for each folder of src/ that has something to choose or
 * to put together. Everything lives as long as the server.
 */
export function createFlowContainer(given: Given): AwilixContainer<Cradle> {
  return createContainer<Cradle>({ injectionMode: InjectionMode.PROXY, strict: true }).register({
    ...givenRegistrations(given),
    ...telemetryRegistrations,
    ...redisRegistrations,
    ...storageRegistrations,
    ...limitsRegistrations,
    ...sessionsRegistrations,
    ...accessRegistrations,
    ...orderingRegistrations,
    ...instancesRegistrations,
    ...connectionsRegistrations,
    ...liveRegistrations,
    ...socketRegistrations,
  });
}
