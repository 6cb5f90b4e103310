/**
 * What RedisEventOrdering does atomically, in Lua. In all of them KEYS lie in one slot; every check comes before the first write, and
 * the write that Redis can refuse, for lack of memory, is the first one, so that nothing is ever half done.
 *
 * `meta` is a hash: epoch, seq, tag (the head), savedSeq, savedTag, floor, and `idle` while a released session's keys expire. `clients` is
 * a hash: clientId → `clientSeq:seq:count:prevTag:tag` of its last batch. `log` is a stream with ids `<epoch>-<seq>` and one field `e`:
 * see redis-entry-text.ts.
 *
 * The channel of hints lies in the same slot, and is no key: while a slot moves to another node, a script is put off when some of its KEYS
 * are there and some are not, and a channel never is.
 */

/**
 * Whoever uses a session again whose keys were about to expire keeps them; and must mark it as one that may have unsaved entries, which lies in
 * another slot (SV2).
 */
const KEEP = `
local function keep(...)
  for _, key in ipairs({...}) do redis.call('PERSIST', key) end
  redis.call('HDEL', KEYS[1], 'idle')
end
`;

/**
 * EO1–EO7. KEYS: meta, log, clients. ARGV: epoch, clientId, firstClientSeq, count, operations, userId as JSON, time in ms, seq and tag of the
 * base or two empty texts, largest entry that a hint carries, the publishing command and its channel. `kept`: see above, or empty.
 * Returns {status, …}: accepted seq prevTag tag kept | duplicate seq | gap expected | conflict | stale-base seq tag | client-unknown | wrong-epoch.
 */
export const APPEND = {
  numberOfKeys: 3,
  lua: `
${KEEP}
local epoch, clientId, first, count, operations = ARGV[1], ARGV[2], tonumber(ARGV[3]), tonumber(ARGV[4]), ARGV[5]
local meta = redis.call('HMGET', KEYS[1], 'epoch', 'seq', 'tag', 'idle')
if meta[1] ~= epoch then return {'wrong-epoch'} end
local row = redis.call('HGET', KEYS[3], clientId)
if not row then return {'client-unknown'} end
local lastSeq, rowSeq, rowCount, rowPrevTag, rowTag = string.match(row, '^(%d+):(%d+):(%d+):(%x*):(%x*)$')
lastSeq = tonumber(lastSeq)
local function tagOf(prevTag, clientSeq, n, seq)
  local text = string.format('%s:%s:%.0f:%.0f:%.0f:', prevTag, clientId, clientSeq, n, seq) .. operations
  return string.sub(redis.sha1hex(text), 1, 16)
end
local clientSeq = first + count - 1
if clientSeq <= lastSeq then
  if clientSeq == lastSeq and count == tonumber(rowCount)
    and tagOf(rowPrevTag, clientSeq, count, tonumber(rowSeq)) ~= rowTag then return {'conflict'} end
  return {'duplicate', rowSeq}
end
if first ~= lastSeq + 1 then return {'gap', string.format('%.0f', lastSeq + 1)} end
if ARGV[8] ~= '' and (ARGV[8] ~= meta[2] or ARGV[9] ~= meta[3]) then return {'stale-base', meta[2], meta[3]} end
local prevTag = meta[3]
local seq = string.format('%.0f', tonumber(meta[2]) + count)
local tag = tagOf(prevTag, clientSeq, count, tonumber(seq))
local last = string.format('%.0f', clientSeq)
local entry = table.concat({ARGV[4], prevTag, tag, clientId, last, ARGV[7], ARGV[6], operations}, '\\n')
redis.call('XADD', KEYS[2], epoch .. '-' .. seq, 'e', entry)
redis.call('HSET', KEYS[1], 'seq', seq, 'tag', tag)
redis.call('HSET', KEYS[3], clientId, table.concat({last, seq, ARGV[4], prevTag, tag}, ':'))
if meta[4] then keep(KEYS[1], KEYS[2], KEYS[3]) end
local hint = #entry <= tonumber(ARGV[10]) and table.concat({'e', epoch, seq, entry}, '\\n')
  or table.concat({'h', epoch, seq, tag}, '\\n')
redis.call(ARGV[11], ARGV[12], hint)
return {'accepted', seq, prevTag, tag, meta[4] or ''}
`,
} as const;

/**
 * EO11. KEYS: meta, log, clients. ARGV: epoch, clientId, the row in the store as text or empty for a new client. Returns {the last
 * clientSeq, its seq, kept or empty}, or nothing under another epoch. Of two rows the newer one stays.
 */
export const ADMIT = {
  numberOfKeys: 3,
  lua: `
${KEEP}
local meta = redis.call('HMGET', KEYS[1], 'epoch', 'idle')
if meta[1] ~= ARGV[1] then return false end
local stored = ARGV[3] ~= '' and ARGV[3] or '0:0:0::'
local known = redis.call('HGET', KEYS[3], ARGV[2])
local clientSeq, seq = string.match(stored, '^(%d+):(%d+):')
if known then
  local knownClientSeq, knownSeq = string.match(known, '^(%d+):(%d+):')
  if tonumber(knownClientSeq) >= tonumber(clientSeq) then return {knownClientSeq, knownSeq, ''} end
end
redis.call('HSET', KEYS[3], ARGV[2], stored)
if meta[2] then keep(KEYS[1], KEYS[2], KEYS[3]) end
return {clientSeq, seq, meta[2] or ''}
`,
} as const;

/**
 * ST4. KEYS: meta, log, clients. ARGV: epoch, seq and tag of the head, ms. Returns 1, or 0 where the hot log is not older. The keys expire after
 * this time unless they are used: whoever seeds may die of it.
 */
export const SEED = {
  numberOfKeys: 3,
  lua: `
local current = redis.call('HGET', KEYS[1], 'epoch')
if current and tonumber(current) >= tonumber(ARGV[1]) then return 0 end
redis.call('HSET', KEYS[1], 'epoch', ARGV[1], 'seq', ARGV[2], 'tag', ARGV[3],
  'savedSeq', ARGV[2], 'savedTag', ARGV[3], 'floor', ARGV[2], 'idle', '1')
redis.call('PEXPIRE', KEYS[1], ARGV[4])
redis.call('DEL', KEYS[2], KEYS[3])
return 1
`,
} as const;

/**
 * KEYS: meta, log. ARGV: seq, bytes at most, entries looked at per step. Returns {meta fields, entries after seq}: whole ones, at least one
 * if there is one; an entry is {id, {'e', text}}. Nothing where there is no hot log.
 */
export const READ = {
  numberOfKeys: 2,
  lua: `
local meta = redis.call('HMGET', KEYS[1], 'epoch', 'seq', 'tag', 'savedSeq', 'savedTag', 'floor')
if not meta[1] then return false end
local entries, bytes, from, max, step = {}, 0, '(' .. meta[1] .. '-' .. ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3])
while bytes < max do
  local page = redis.call('XRANGE', KEYS[2], from, '+', 'COUNT', step)
  for _, entry in ipairs(page) do
    if bytes >= max then break end
    entries[#entries + 1] = entry
    bytes = bytes + #entry[2][2] + 256
  end
  if #page < step then break end
  from = '(' .. page[#page][1]
end
return {meta, entries}
`,
} as const;

/**
 * KEYS: meta, log. ARGV: epoch, seq, tag, the publishing command and its channel. Moves `saved` up and lets go of what is at or below it;
 * never beyond the head, never under another epoch. Returns whether it did. Trimming comes first: a Redis that is full refuses a script's
 * first write only if it needs memory, and this one must work there above all.
 */
export const MARK_SAVED = {
  numberOfKeys: 2,
  lua: `
local meta = redis.call('HMGET', KEYS[1], 'epoch', 'seq', 'savedSeq')
if meta[1] ~= ARGV[1] or tonumber(ARGV[2]) <= tonumber(meta[3]) or tonumber(ARGV[2]) > tonumber(meta[2]) then return 0 end
redis.call('XTRIM', KEYS[2], 'MINID', ARGV[1] .. '-' .. string.format('%.0f', tonumber(ARGV[2]) + 1))
redis.call('HSET', KEYS[1], 'savedSeq', ARGV[2], 'savedTag', ARGV[3], 'floor', ARGV[2])
redis.call(ARGV[4], ARGV[5], table.concat({'s', ARGV[1], ARGV[2], ARGV[3]}, '\\n'))
return 1
`,
} as const;

/**
 * SV2, DL8. KEYS: meta, log, clients. ARGV: ms. Everything of a session expires together, and only where all of it is saved. Returns whether
 * nothing is left to save.
 */
export const RELEASE = {
  numberOfKeys: 3,
  lua: `
local meta = redis.call('HMGET', KEYS[1], 'epoch', 'seq', 'savedSeq')
if not meta[1] then return 1 end
if meta[2] ~= meta[3] then return 0 end
for _, key in ipairs(KEYS) do redis.call('PEXPIRE', key, ARGV[1]) end
redis.call('HSET', KEYS[1], 'idle', '1')
return 1
`,
} as const;

/** KEYS: meta, log, clients. Somebody else released a session that is open here. */
export const KEEP_OPEN = {
  numberOfKeys: 3,
  lua: `
${KEEP}
if redis.call('HEXISTS', KEYS[1], 'idle') == 1 then keep(KEYS[1], KEYS[2], KEYS[3]) end
return 1
`,
} as const;
