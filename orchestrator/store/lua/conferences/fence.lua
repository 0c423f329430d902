-- Closes a conference to all listeners of its node whose lease is older.
-- KEYS[1] conference
-- ARGV[1] epoch
-- Returns 1, or 0 if there is a newer one.

-- include shared/fence

local known = redis.call('HMGET', KEYS[1], 'version', 'epoch')
if is_fenced(known[2], ARGV[1]) then return 0 end
if known[1] then redis.call('HSET', KEYS[1], 'epoch', ARGV[1]) end
return 1
