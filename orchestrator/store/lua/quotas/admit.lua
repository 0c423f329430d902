-- Admits a create, or says which limit it would break. A call is a member of sets, not a number in a counter: nothing
-- is counted twice or for ever, whoever dies when.
-- KEYS[1] live participants
-- KEYS[2] live conferences
-- KEYS[3] dialling
-- KEYS[4] kept
-- KEYS[5] tallies
-- ARGV[1] 'ConferenceSid.CallSid'
-- ARGV[2] ConferenceSid
-- ARGV[3] 'CallSid:bytes'
-- ARGV[4] bytes of parameters
-- ARGV[5] most live participants
-- ARGV[6] most live conferences
-- ARGV[7] most that are dialling
-- ARGV[8] most creates a second
-- ARGV[9] most kept participants
-- ARGV[10] most kept bytes
-- ARGV[11] retention ms
-- ARGV[12] ms after which a member is looked at again
-- ARGV[13] how many such members to return when admitted
-- ARGV[14] how many when refused
-- ARGV[15] when the call was created, ms: its place among those that are kept
-- Returns {'ok' or the limit that is reached, ms until it is worth trying again, and members that nobody has looked at
-- for long: of live participants, of dialling, of live conferences}.

-- include shared/now_ms
-- include shared/keep_for
-- include shared/bucket

local now = now_ms()
local function doubtful(key, most)
  return redis.call('ZRANGEBYSCORE', key, 0, now - tonumber(ARGV[12]), 'LIMIT', 0, most)
end
local function answer(verdict, wait, most)
  return {verdict, wait, doubtful(KEYS[1], most), doubtful(KEYS[3], most), doubtful(KEYS[2], most)}
end
-- The client repeats a command whose answer was lost with the connection: then it is admitted already.
if redis.call('ZSCORE', KEYS[1], ARGV[1]) then return answer('ok', 0, 0) end
local taken, wait = take(KEYS[5], 'creates', tonumber(ARGV[8]), 1000, 1, now)
keep_for(KEYS[5], ARGV[11])
if taken == 0 then return answer('creates_per_second', wait, 0) end
if redis.call('ZCARD', KEYS[1]) >= tonumber(ARGV[5]) then return answer('live_participants', 5000, ARGV[14]) end
if not redis.call('ZSCORE', KEYS[2], ARGV[2]) and redis.call('ZCARD', KEYS[2]) >= tonumber(ARGV[6]) then
  return answer('live_conferences', 5000, ARGV[14])
end
if redis.call('ZCARD', KEYS[3]) >= tonumber(ARGV[7]) then return answer('dialling', 5000, ARGV[14]) end
-- What is older than the retention is kept no longer; a few at a time, more than one create adds.
for _, old in ipairs(redis.call('ZRANGEBYSCORE', KEYS[4], 0, now - tonumber(ARGV[11]), 'LIMIT', 0, 20)) do
  redis.call('ZREM', KEYS[4], old)
  redis.call('HINCRBY', KEYS[5], 'kept_bytes', -tonumber(string.match(old, ':(%d+)$')))
end
if redis.call('EXISTS', KEYS[4]) == 0 then redis.call('HDEL', KEYS[5], 'kept_bytes') end
local many = redis.call('ZCARD', KEYS[4]) >= tonumber(ARGV[9])
if many or tonumber(redis.call('HGET', KEYS[5], 'kept_bytes') or '0') + tonumber(ARGV[4]) > tonumber(ARGV[10]) then
  local oldest = redis.call('ZRANGE', KEYS[4], 0, 0, 'WITHSCORES')
  local ends = oldest[2] and oldest[2] + ARGV[11] - now or tonumber(ARGV[11])
  return answer(many and 'kept_participants' or 'kept_parameter_bytes', math.max(1000, math.floor(ends)), 0)
end
redis.call('ZADD', KEYS[1], now, ARGV[1])
redis.call('ZADD', KEYS[3], now, ARGV[1])
redis.call('ZADD', KEYS[2], 'NX', now, ARGV[2])
redis.call('ZADD', KEYS[4], ARGV[15], ARGV[3])
redis.call('PEXPIRE', KEYS[4], ARGV[11])
redis.call('HINCRBY', KEYS[5], 'kept_bytes', ARGV[4])
return answer('ok', 0, ARGV[13])
