-- Gives a lease back.
-- KEYS[1] lease
-- ARGV[1] owner
-- Returns 1, or 0 if it is somebody else's.

if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('DEL', KEYS[1]) end
return 0
