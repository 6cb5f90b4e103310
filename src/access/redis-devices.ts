import { z } from 'zod';
import { readJson } from '../lib/parse';
import type { RedisKeys } from '../redis/keys';
import type { RedisConnections } from '../redis/redis-connections';
import { byLastSeen, type Device, type Devices, type Sighting } from './devices';

interface RedisDevicesOptions {
  readonly redis: RedisConnections;
  readonly keys: RedisKeys;
  readonly ttlMs: number;
}

/**
 * A device is a JSON text with a time to live, and its id is in its user's set. The two lie in different slots of a cluster and are written one
 * after the other: an id without a device is passed over and removed, a device without its id is put right when it is seen again.
 */
export class RedisDevices implements Devices {
  readonly #redis: RedisConnections;
  readonly #keys: RedisKeys;
  readonly #ttlMs: number;

  constructor({ redis, keys, ttlMs }: RedisDevicesOptions) {
    this.#redis = redis;
    this.#keys = keys;
    this.#ttlMs = ttlMs;
    redis.client('command');
  }

  async seen({ userId, deviceId, label, address, at }: Sighting): Promise<void> {
    const [key, setKey] = [this.#keys.device(deviceId), this.#keys.devicesOf(userId)];
    const known = readJson(rowText, await this.#redis.ask('read device', (client) => client.get(key)));
    const firstSeenAt = known?.userId === userId ? known.firstSeenAt : at;
    const row: Row = { userId, deviceId, label, address, firstSeenAt, lastSeenAt: at };
    await this.#redis.askMany('see device', [
      (to) => to.set(key, JSON.stringify(row), 'PX', this.#ttlMs),
      (to) => to.sadd(setKey, deviceId),
      // As long as the last device in it.
      (to) => to.pexpire(setKey, this.#ttlMs),
    ]);
  }

  async list(userId: string): Promise<readonly Device[]> {
    const setKey = this.#keys.devicesOf(userId);
    const deviceIds = await this.#redis.ask('list devices', (client) => client.smembers(setKey));
    const rows = await this.#read(deviceIds);
    const gone = deviceIds.filter((_, index) => rows[index]?.userId !== userId);
    if (gone.length > 0) await this.#redis.ask('remove devices', (client) => client.srem(setKey, ...gone));
    return rows
      .filter((row) => row?.userId === userId)
      .flatMap((row) => (row ? [deviceOf(row)] : []))
      .sort(byLastSeen);
  }

  async forget(userId: string, deviceIds: readonly string[]): Promise<void> {
    const rows = await this.#read(deviceIds);
    const own = deviceIds.filter((_, index) => rows[index]?.userId === userId);
    if (own.length === 0) return;
    await this.#redis.askMany('forget devices', [
      ...own.map((deviceId) => (to: Pipe) => to.del(this.#keys.device(deviceId))),
      (to) => to.srem(this.#keys.devicesOf(userId), ...own),
    ]);
  }

  async #read(deviceIds: readonly string[]): Promise<Array<Row | null>> {
    const texts = await this.#redis.askMany(
      'read devices',
      deviceIds.map((deviceId) => (to) => to.get(this.#keys.device(deviceId))),
    );
    return texts.map((text) => readJson(rowText, text));
  }
}

type Pipe = Parameters<Parameters<RedisConnections['askMany']>[1][number]>[0];

const rowText = z.object({
  userId: z.string(),
  deviceId: z.string(),
  label: z.string(),
  address: z.string(),
  firstSeenAt: z.int(),
  lastSeenAt: z.int(),
});
type Row = z.infer<typeof rowText>;

function deviceOf({ deviceId, label, address, firstSeenAt, lastSeenAt }: Row): Device {
  return { deviceId, label, address, firstSeenAt, lastSeenAt };
}
