-- Notes that a call that waits is about to be dialled.
-- KEYS[1] waiting
-- KEYS[2] orders
-- ARGV[1] 'ConferenceSid.CallSid'
-- Returns {1, order}; {2, order} if that had been noted before, and nobody has said what became of it; {0, ''} if it
-- does not wait any more.

if not redis.call('ZSCORE', KEYS[1], ARGV[1]) then return {0, ''} end
local claim = redis.call('HSETNX', KEYS[2], ARGV[1] .. ':claimed', '1') == 1 and 1 or 2
return {claim, redis.call('HGET', KEYS[2], ARGV[1]) or ''}
