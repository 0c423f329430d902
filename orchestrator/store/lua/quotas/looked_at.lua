-- Notes which members of a set are still what it says; the others go.
-- KEYS[1] a set
-- ARGV[1…] '1' if it is still so and '0' if not, the member, and so on
-- Returns nothing.

-- include shared/now_ms

local now = now_ms()
for index = 1, #ARGV, 2 do
  if ARGV[index] == '1' then
    redis.call('ZADD', KEYS[1], 'XX', now, ARGV[index + 1])
  else
    redis.call('ZREM', KEYS[1], ARGV[index + 1])
  end
end
