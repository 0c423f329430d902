-- Removes a lane's head, which is delivered or dead, keeps what became of it, and reads the next. An empty lane gives
-- its lease up in the same step, so no later callback can be overlooked.
-- KEYS[1] outbox
-- KEYS[2] lease
-- KEYS[3] retry
-- KEYS[4] lanes
-- KEYS[5] callback without its token
-- ARGV[1] owner
-- ARGV[2] lane
-- ARGV[3] lease ms
-- ARGV[4] token
-- ARGV[5] state
-- ARGV[6] reason
-- ARGV[7] attempts (JSON: [[number, attempt]…])
-- ARGV[8] retention s
-- Returns {'ok', token, entry, attempts, waiting since ms} | {'empty'} | {'lost'}.

-- include shared/read_head
-- include shared/keep_attempts

local holder = redis.call('GET', KEYS[2])
if holder ~= ARGV[1] then
  -- Redis was away for longer than a lease; what was done counts if nobody has begun to do it again.
  if holder or redis.call('LINDEX', KEYS[1], 0) ~= ARGV[4] then return {'lost'} end
  redis.call('SET', KEYS[2], ARGV[1], 'PX', ARGV[3])
end
local record = KEYS[5] .. ARGV[4]
keep_attempts(record, ARGV[7])
redis.call('HSET', record, 'state', ARGV[5], 'reason', ARGV[6])
redis.call('EXPIRE', record, ARGV[8])
if redis.call('LINDEX', KEYS[1], 0) == ARGV[4] then redis.call('LPOP', KEYS[1]) end
redis.call('DEL', KEYS[3])
local token, found = read_head(KEYS[1], KEYS[5])
if not token then
  redis.call('SREM', KEYS[4], ARGV[2])
  redis.call('DEL', KEYS[2])
  return {'empty'}
end
redis.call('PEXPIRE', KEYS[2], ARGV[3])
return {'ok', token, found[1], found[2], found[3]}
