-- Renews a lease.
-- KEYS[1] lease
-- ARGV[1] owner
-- ARGV[2] lease ms
-- Returns 1, or 0 if it is somebody else's.

if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('PEXPIRE', KEYS[1], ARGV[2]) end
return 0
