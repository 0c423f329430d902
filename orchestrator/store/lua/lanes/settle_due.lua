-- Takes empty lanes off the list of those that are due, and puts the others off. A lane that somebody has written since
-- it was read is left alone: it has been filled, or has a retry of its own.
-- KEYS[1] lanes:due
-- ARGV[1] moment ms
-- ARGV[2…] lane, its moment as read, '1' if it is empty, and so on
-- Returns nothing.

for index = 2, #ARGV, 3 do
  if redis.call('ZSCORE', KEYS[1], ARGV[index]) == ARGV[index + 1] then
    if ARGV[index + 2] == '1' then
      redis.call('ZREM', KEYS[1], ARGV[index])
    else
      redis.call('ZADD', KEYS[1], ARGV[1], ARGV[index])
    end
  end
end
