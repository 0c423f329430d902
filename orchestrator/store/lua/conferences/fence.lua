-- Closes a conference to all listeners of its node whose lease is older.
-- KEYS[1] conference
-- ARGV[1] epoch
-- ARGV[2] node
-- Returns 1, or 0 if there is a newer one.

-- include shared/fence

local known = redis.call('HMGET', KEYS[1], 'node', 'epoch')
-- Another node's, or not made: two creates of one name may have chosen two nodes, and both know the conference then.
if known[1] ~= ARGV[2] then return 1 end
if is_fenced(known[2], ARGV[1]) then return 0 end
redis.call('HSET', KEYS[1], 'epoch', ARGV[1])
return 1
