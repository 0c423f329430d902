-- Leases a lane, or has whoever leases it look once more.
-- KEYS[1] lease
-- ARGV[1] owner
-- ARGV[2] lease ms
-- Returns 1, or 0 if it is somebody else's.

-- include shared/lease

local holder = redis.call('GET', KEYS[1])
if not holder or is_ours(holder, ARGV[1]) then
  redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
  return 1
end
if string.sub(holder, -#AGAIN) ~= AGAIN then redis.call('SET', KEYS[1], holder .. AGAIN, 'KEEPTTL') end
return 0
