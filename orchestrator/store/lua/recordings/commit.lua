-- Writes what an event has changed in a recording, with the callbacks that follow, if nobody has changed it since it
-- was read. A commit that is repeated because its answer was lost is told as if it had just been done.
-- KEYS[1] recording
-- KEYS[2] lanes
-- KEYS[3] callback without its token
-- KEYS[4] callbacks of the conference
-- KEYS[5] outbox
-- KEYS[6] conference
-- ARGV[1] expected version
-- ARGV[2] commit id
-- ARGV[3] lane
-- ARGV[4] change (JSON): {fields: [f, v…], expire: s or 0, keep: s, depth: n,
--   callbacks: [[token, planned ms, entry]…]}
-- ARGV[5] epoch of the listener's lease; '' if it is no listener's
-- Returns {-1, {}} if there is a newer epoch; {0, {}} if the version is another one, else
-- {1, {'token planned_ms' of what fell out of the lane…}}.

-- include shared/freeing
-- include shared/append_callbacks
-- include shared/fence

if is_fenced(redis.call('HGET', KEYS[6], 'epoch'), ARGV[5]) then return {-1, {}} end
if redis.call('HGET', KEYS[1], 'version') ~= ARGV[1] then
  return {redis.call('HGET', KEYS[1], 'commit_id') == ARGV[2] and 1 or 0, {}}
end
local change = cjson.decode(ARGV[4])
redis.call('HSET', KEYS[1], 'commit_id', ARGV[2], unpack(change.fields))
redis.call('HINCRBY', KEYS[1], 'version', 1)
if change.expire > 0 then redis.call('EXPIRE', KEYS[1], change.expire) end
local dropped = {}
if #change.callbacks > 0 then
  local keys = { lanes = KEYS[2], callback = KEYS[3], callbacks = KEYS[4], outbox = KEYS[5] }
  append_callbacks(keys, ARGV[3], change.callbacks, change.depth, change.keep, dropped)
  redis.call('EXPIRE', KEYS[4], change.keep)
end
return {1, dropped}
