-- Undoes the admission of a create that was refused later: it was never there, but as one of its second.
-- KEYS[1] live participants
-- KEYS[2] dialling
-- KEYS[3] kept
-- KEYS[4] tallies
-- KEYS[5] live conferences
-- ARGV[1] 'ConferenceSid.CallSid'
-- ARGV[2] 'CallSid:bytes'
-- ARGV[3] bytes
-- ARGV[4] ConferenceSid if it was this create's own, or ''
-- Returns nothing.

redis.call('ZREM', KEYS[1], ARGV[1])
redis.call('ZREM', KEYS[2], ARGV[1])
if redis.call('ZREM', KEYS[3], ARGV[2]) == 1 then redis.call('HINCRBY', KEYS[4], 'kept_bytes', -ARGV[3]) end
if ARGV[4] ~= '' then redis.call('ZREM', KEYS[5], ARGV[4]) end
