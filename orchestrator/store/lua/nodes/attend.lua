-- Says that a listener lives, and forgets those that have not said so for some time.
-- KEYS[1] listeners
-- ARGV[1] process
-- ARGV[2] ms for which its word counts
-- Returns the listeners that live.

-- include shared/now_ms

local now = now_ms()
redis.call('ZADD', KEYS[1], now + tonumber(ARGV[2]), ARGV[1])
redis.call('ZREMRANGEBYSCORE', KEYS[1], 0, now)
redis.call('PEXPIRE', KEYS[1], ARGV[2])
return redis.call('ZRANGE', KEYS[1], 0, -1)
