-- Gives a lane back, unless somebody has come since its owner looked.
-- KEYS[1] lease
-- ARGV[1] owner
-- Returns 1, or 0 if somebody has come: then it is still the owner's.

-- include shared/lease

local holder = redis.call('GET', KEYS[1])
if not is_ours(holder, ARGV[1]) then return 1 end
if holder ~= ARGV[1] then return 0 end
redis.call('DEL', KEYS[1])
return 1
