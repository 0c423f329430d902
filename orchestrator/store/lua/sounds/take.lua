-- Leases a lane of sound, and notes a play that has ended.
-- KEYS[1] sound
-- KEYS[2] lease
-- ARGV[1] owner
-- ARGV[2] lease ms
-- ARGV[3] play that has ended, or ''
-- ARGV[4] keep s
-- Returns 1 if the lane is ours; else 0, and whoever has it will look once more.

if ARGV[3] ~= '' then
  -- The last few: two that end at once may come in any order.
  local ended = (redis.call('HGET', KEYS[1], 'ended') or '') .. ' ' .. ARGV[3]
  redis.call('HSET', KEYS[1], 'ended', string.sub(ended, -120))
end
if redis.call('SET', KEYS[2], ARGV[1], 'NX', 'PX', ARGV[2]) then
  redis.call('HDEL', KEYS[1], 'dirty')
  return 1
end
redis.call('HSET', KEYS[1], 'dirty', '1')
redis.call('EXPIRE', KEYS[1], ARGV[4])
return 0
