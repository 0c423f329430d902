-- Gives a lane back, unless there is something new to look at.
-- KEYS[1] sound
-- KEYS[2] lease
-- ARGV[1] owner
-- ARGV[2] lease ms
-- Returns 1, or 0 if there is: then the lane is kept.

if redis.call('GET', KEYS[2]) ~= ARGV[1] then return 1 end
if redis.call('HDEL', KEYS[1], 'dirty') == 1 then
  redis.call('PEXPIRE', KEYS[2], ARGV[2])
  return 0
end
redis.call('DEL', KEYS[2])
return 1
