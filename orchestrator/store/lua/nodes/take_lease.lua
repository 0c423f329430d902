-- Leases a node, unless another process has it. An epoch is larger than any before it, also where a failover has lost
-- the last of them: it is the moment (ms) by Redis' clock.
-- KEYS[1] lease
-- ARGV[1] owner
-- ARGV[2] lease ms
-- Returns the epoch, or 0 if it is somebody else's.

-- include shared/now_ms

local now = now_ms()
local known = redis.call('HMGET', KEYS[1], 'until_ms', 'epoch')
if tonumber(known[1] or '0') > now then return 0 end
local epoch = math.max(tonumber(known[2] or '0') + 1, now)
redis.call('HSET', KEYS[1], 'owner', ARGV[1], 'epoch', string.format('%d', epoch),
  'until_ms', string.format('%d', now + tonumber(ARGV[2])))
return epoch
