-- Frees a name, if it still means this conference.
-- KEYS[1] the account's names
-- ARGV[1] name
-- ARGV[2] ConferenceSid
-- Returns nothing.

if redis.call('HGET', KEYS[1], ARGV[1]) == ARGV[2] then redis.call('HDEL', KEYS[1], ARGV[1]) end
