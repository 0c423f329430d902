-- Notes that a call that waits is about to be dialled.
-- KEYS[1] waiting
-- KEYS[2] queued calls, sealed
-- ARGV[1] 'ConferenceSid.CallSid'
-- Returns {1, sealed, 0}; {2, sealed, ms} if that had been noted before, nobody has said what became of it, and it was
-- first found so at that moment; {0, '', 0} if it does not wait any more.

-- include shared/now_ms

if not redis.call('ZSCORE', KEYS[1], ARGV[1]) then return {0, '', 0} end
local sealed = redis.call('HGET', KEYS[2], ARGV[1]) or ''
local claimed = ARGV[1] .. ':claimed'
if redis.call('HSETNX', KEYS[2], claimed, '1') == 1 then return {1, sealed, 0} end
local found = tonumber(redis.call('HGET', KEYS[2], claimed))
if found == 1 then
  found = now_ms()
  redis.call('HSET', KEYS[2], claimed, string.format('%.0f', found))
end
return {2, sealed, found}
