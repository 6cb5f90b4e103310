import { asFunction } from 'awilix';
import type { CollaborationService } from '../sessions/collaboration-service';
import { MemoryCollaborationService } from '../sessions/memory-collaboration-service';
import { MemoryParticipants } from '../sessions/memory-participants';
import type { Participants } from '../sessions/participants';
import { RedisCollaborationService } from '../sessions/redis-collaboration-service';
import { RedisParticipants } from '../sessions/redis-participants';
import type { GivenCradle } from './given';
import type { RedisCradle } from './redis';
import type { Registrations } from './registrations';
import type { StorageCradle } from './storage';

export interface SessionsCradle {
  readonly collaboration: CollaborationService;
  readonly participants: Participants;
}

type Cradle = SessionsCradle & GivenCradle & RedisCradle & StorageCradle;

export const sessionsRegistrations: Registrations<SessionsCradle> = {
  collaboration: asFunction(chooseCollaboration).singleton(),
  participants: asFunction(chooseParticipants).singleton(),
};

function chooseCollaboration({ config, redis, redisKeys: keys, store, clock, log }: Cradle): CollaborationService {
  const records = new MemoryCollaborationService({ records: store.sessionRecords, clock });
  if (config.backends.collaboration === 'memory' || !redis) return records;
  return new RedisCollaborationService({ records, redis, keys, log, ttlMs: config.redis.sessionTtlMs });
}

function chooseParticipants({ config, redis, redisKeys: keys, clock }: Cradle): Participants {
  const leaseMs = config.participantLeaseMs;
  if (config.backends.collaboration === 'memory' || !redis) return new MemoryParticipants({ clock, leaseMs });
  return new RedisParticipants({ redis, keys, clock, leaseMs });
}
