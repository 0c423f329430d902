-- Undoes a request that the switch has refused.
-- KEYS[1] participant
-- KEYS[2] conference
-- ARGV[1] field
-- ARGV[2] what was wanted
-- ARGV[3] what was wanted before
-- Returns nothing.

if redis.call('HGET', KEYS[1], ARGV[1]) == ARGV[2] then
  redis.call('HSET', KEYS[1], ARGV[1], ARGV[3])
  redis.call('HINCRBY', KEYS[2], 'version', 1)
end
