-- Writes what an event has changed in a recording, with the callbacks that follow, if nobody has changed it since it
-- was read. A commit that is repeated because its answer was lost is told as if it had just been done.
-- KEYS[1] recording
-- KEYS[2] lanes
-- KEYS[3] callback without its token
-- KEYS[4] callbacks of the conference
-- KEYS[5] outbox
-- ARGV[1] expected version
-- ARGV[2] commit id
-- ARGV[3] lane
-- ARGV[4] change (JSON): {fields: [f, v…], expire: s or 0, keep: s, callbacks: [[token, planned ms, entry]…]}
-- Returns 0 if the version is another one, else 1.

-- include shared/freeing

if redis.call('HGET', KEYS[1], 'version') ~= ARGV[1] then
  return redis.call('HGET', KEYS[1], 'commit_id') == ARGV[2] and 1 or 0
end
local change = cjson.decode(ARGV[4])
redis.call('HSET', KEYS[1], 'commit_id', ARGV[2], unpack(change.fields))
redis.call('HINCRBY', KEYS[1], 'version', 1)
if change.expire > 0 then redis.call('EXPIRE', KEYS[1], change.expire) end
for _, callback in ipairs(change.callbacks) do
  local token, planned_ms, entry = callback[1], callback[2], callback[3]
  redis.call('HSET', KEYS[3] .. token, 'entry', entry, 'lane', ARGV[3], 'state', 'waiting', 'reason', '',
    'attempts', '0', 'planned_ms', planned_ms, 'since_ms', planned_ms)
  redis.call('ZADD', KEYS[4], planned_ms, token)
  redis.call('EXPIRE', KEYS[4], change.keep)
  redis.call('RPUSH', KEYS[5], token)
  redis.call('SADD', KEYS[2], ARGV[3])
end
return 1
