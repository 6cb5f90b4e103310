import { REDIS_NOW } from '../redis/redis-now';

/**
 * What RedisParticipants does atomically, in Lua. KEYS of all: participants (hash: connectionId → participant as JSON), leases (sorted
 * set: connectionId → when its lease ends); both in one slot. Leases are measured by the clock of Redis.
 */

/** Leases are followed by as much time again in which whoever is left can sweep them; then nothing remains. */
const KEEP = `
local function keep(leaseMs)
  for _, key in ipairs(KEYS) do redis.call('PEXPIRE', key, exact(2 * leaseMs)) end
end
`;

/** ARGV: lease in ms, connectionId, participant. Returns when. */
export const JOIN = {
  numberOfKeys: 2,
  lua: `
${REDIS_NOW}${KEEP}
local leaseMs = tonumber(ARGV[1])
redis.call('HSET', KEYS[1], ARGV[2], ARGV[3])
redis.call('ZADD', KEYS[2], exact(now + leaseMs), ARGV[2])
keep(leaseMs)
return exact(now)
`,
} as const;

/** ARGV: connectionId. */
export const LEAVE = {
  numberOfKeys: 2,
  lua: `
redis.call('HDEL', KEYS[1], ARGV[1])
return redis.call('ZREM', KEYS[2], ARGV[1])
`,
} as const;

/** Returns all who are present. */
export const LIST = {
  numberOfKeys: 2,
  lua: `
${REDIS_NOW}
local people = {}
for _, id in ipairs(redis.call('ZRANGEBYSCORE', KEYS[2], '(' .. exact(now), '+inf')) do
  people[#people + 1] = redis.call('HGET', KEYS[1], id)
end
return people
`,
} as const;

/**
 * ARGV: lease in ms, then connectionId, participant, connectionId, participant, … Who is missing is put back: the one who renews knows
 * that the connection lives, and a Redis that came back empty does not. Who is not renewed in time by
 * anybody is removed. Returns how many there are.
 */
export const RENEW = {
  numberOfKeys: 2,
  lua: `
${REDIS_NOW}${KEEP}
local leaseMs = tonumber(ARGV[1])
for index = 2, #ARGV, 2 do
  local id, participant = ARGV[index], ARGV[index + 1]
  if redis.call('HGET', KEYS[1], id) ~= participant then redis.call('HSET', KEYS[1], id, participant) end
  redis.call('ZADD', KEYS[2], exact(now + leaseMs), id)
end
for _, id in ipairs(redis.call('ZRANGEBYSCORE', KEYS[2], '-inf', exact(now))) do
  redis.call('HDEL', KEYS[1], id)
  redis.call('ZREM', KEYS[2], id)
end
keep(leaseMs)
return redis.call('HLEN', KEYS[1])
`,
} as const;
