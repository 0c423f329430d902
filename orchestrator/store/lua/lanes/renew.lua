-- Renews a lease.
-- KEYS[1] lease
-- ARGV[1] owner
-- ARGV[2] lease ms
-- ARGV[3] '1' if the owner is about to look at the lane again, should somebody have come
-- Returns 0 if it is somebody else's; 1; 2 if somebody has come and ARGV[3] is '1'.

-- include shared/lease

local holder = redis.call('GET', KEYS[1])
if not is_ours(holder, ARGV[1]) then return 0 end
if ARGV[3] == '1' and holder ~= ARGV[1] then
  redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
  return 2
end
redis.call('PEXPIRE', KEYS[1], ARGV[2])
return 1
