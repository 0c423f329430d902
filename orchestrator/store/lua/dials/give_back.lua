-- Takes back the slot of a call that was not made after all, whether it waited for it or not; if it was the last one,
-- the next call has it.
-- KEYS[1] waiting
-- KEYS[2] queued calls, sealed
-- KEYS[3] tallies
-- ARGV[1] 'ConferenceSid.CallSid'
-- ARGV[2] calls a second
-- ARGV[3] its slot
-- Returns nothing.

redis.call('ZREM', KEYS[1], ARGV[1])
redis.call('HDEL', KEYS[2], ARGV[1])
local free_at = tonumber(redis.call('HGET', KEYS[3], 'dials_free_at') or '0')
local off = free_at - tonumber(ARGV[3]) - 1000 / tonumber(ARGV[2])
if off < 0.01 and off > -0.01 then redis.call('HSET', KEYS[3], 'dials_free_at', ARGV[3]) end
