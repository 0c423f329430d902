-- Notes what a recording takes of its account's bytes.
-- KEYS[1] bytes of the account's recordings
-- ARGV[1] RecordingSid
-- ARGV[2] bytes, 0 if it is gone
-- Returns the bytes of all of them.

local before = tonumber(redis.call('HGET', KEYS[1], ARGV[1]) or '0')
if ARGV[2] == '0' then
  redis.call('HDEL', KEYS[1], ARGV[1])
else
  redis.call('HSET', KEYS[1], ARGV[1], ARGV[2])
end
return redis.call('HINCRBY', KEYS[1], 'all', tonumber(ARGV[2]) - before)
