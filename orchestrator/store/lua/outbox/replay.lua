-- Has a finished callback wait again, at the end of its lane, under its old token.
-- KEYS[1] callback
-- KEYS[2] outbox
-- KEYS[3] lanes
-- ARGV[1] token
-- ARGV[2] lane
-- ARGV[3] now ms
-- Returns 1, or 0 if it is not finished.

local state = redis.call('HGET', KEYS[1], 'state')
if state ~= 'dead' and state ~= 'delivered' then return 0 end
redis.call('HSET', KEYS[1], 'state', 'waiting', 'reason', '', 'since_ms', ARGV[3])
redis.call('HINCRBY', KEYS[1], 'replays', 1)
redis.call('PERSIST', KEYS[1])
redis.call('RPUSH', KEYS[2], ARGV[1])
redis.call('SADD', KEYS[3], ARGV[2])
return 1
