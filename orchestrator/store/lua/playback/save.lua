-- Writes the state of a lane of playback, if it is still its writer's.
-- KEYS[1] playback
-- KEYS[2] lease
-- KEYS[3] announcements
-- ARGV[1] owner
-- ARGV[2] state (JSON), or ''
-- ARGV[3] announcements taken
-- ARGV[4] keep s
-- Returns how many announcements wait, or -1 if the lane is somebody else's: then nothing is written.

-- include shared/lease

if not is_ours(redis.call('GET', KEYS[2]), ARGV[1]) then return -1 end
for _ = 1, tonumber(ARGV[3]) do redis.call('LPOP', KEYS[3]) end
if ARGV[2] == '' then
  redis.call('HDEL', KEYS[1], 'state', 'ended')
else
  redis.call('HSET', KEYS[1], 'state', ARGV[2])
  redis.call('EXPIRE', KEYS[1], ARGV[4])
end
return redis.call('LLEN', KEYS[3])
