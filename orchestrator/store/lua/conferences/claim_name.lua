-- Gives a name to a conference, unless an active one has it.
-- KEYS[1] the account's names
-- ARGV[1] name
-- ARGV[2] ConferenceSid that would like it
-- ARGV[3] ConferenceSid that has it and has ended, or ''
-- Returns the ConferenceSid that has it now.

local current = redis.call('HGET', KEYS[1], ARGV[1])
if current and current ~= ARGV[3] then return current end
redis.call('HSET', KEYS[1], ARGV[1], ARGV[2])
return ARGV[2]
