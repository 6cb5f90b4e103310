/**
 * Lua: `now`, whole milliseconds since 1970 by the clock of Redis, so that instances whose clocks differ agree on when a lease ends; and
 * `exact`, which writes such a number with all its digits.
 */
export const REDIS_NOW = `
local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
local function exact(ms) return string.format('%.0f', ms) end
`;
