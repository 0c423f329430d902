-- Notes a play that has ended; the last few are kept, for two that end at once may come in any order.
-- KEYS[1] playback
-- ARGV[1] play
-- ARGV[2] keep s
-- Returns nothing.

local ended = (redis.call('HGET', KEYS[1], 'ended') or '') .. ' ' .. ARGV[1]
redis.call('HSET', KEYS[1], 'ended', string.sub(ended, -120))
redis.call('EXPIRE', KEYS[1], ARGV[2])
