import type { Config } from '../../config/load-config';
import type { Clock } from '../lib/clock';
import type { Logger } from '../lib/logger';
import { forEachService } from '../protocol/services';
import { Telemetry } from '../telemetry/telemetry';
import { RedisConnections } from './redis-connections';

/**
 * Where a flag asks for Redis and it cannot be reached or used: with REDIS_FALLBACK=memory the configuration to run with instead,
 * everything in memory, said in one loud line; with exit a rejection that says what to change. Decided at start, never later.
 */
export async function withReachableRedis(
  config: Config,
  { clock, log }: { clock: Clock; log: Logger },
): Promise<Config> {
  const { redis: settings, instanceId } = config;
  if (!Object.values(config.configured).includes('redis')) return config;
  const probe = new RedisConnections({
    // Once: a fallback is for a Redis that is not there, and waiting would only delay the start.
    settings: { ...settings, maxRetries: 0 },
    instanceId: `${instanceId}:probe`,
    clock,
    log: log.child({}, { level: 'silent' }),
    telemetry: new Telemetry(),
  });
  probe.client('command');
  try {
    await probe.start();
    return config;
  } catch (fault) {
    if (settings.fallback === 'exit') throw fault;
    const reason = fault instanceof Error ? fault.message : String(fault);
    const why = settings.isAddressGiven ? 'Connection failed' : 'No Redis configuration';
    log.warn({ redis: probe.where, reason }, `[Redis] ${why}, using in-memory fallback`);
    return { ...config, backends: forEachService(() => 'memory') };
  } finally {
    await probe.stop();
  }
}
