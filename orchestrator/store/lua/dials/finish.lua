-- Takes a call out of the queue, unless it was queued again meanwhile.
-- KEYS[1] waiting
-- KEYS[2] queued calls, sealed
-- ARGV[1] 'ConferenceSid.CallSid'
-- ARGV[2] the slot that it has had
-- Returns nothing.

if tonumber(redis.call('ZSCORE', KEYS[1], ARGV[1]) or '-1') ~= tonumber(ARGV[2]) then return end
redis.call('ZREM', KEYS[1], ARGV[1])
redis.call('HDEL', KEYS[2], ARGV[1], ARGV[1] .. ':claimed')
