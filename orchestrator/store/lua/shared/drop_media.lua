-- Drops a clip or a note, and counts it off its account's bytes and off all. Of its script it needs
-- KEYS[1] when each ends, KEYS[2] owners, KEYS[3] bytes, and ARGV[1], what all media keys begin with.

local PREFIX = ARGV[1]
local function take(field, size)
  if redis.call('HINCRBY', KEYS[3], field, -size) <= 0 then redis.call('HDEL', KEYS[3], field) end
end
local function drop(member)
  local owner = redis.call('HGET', KEYS[2], member)
  redis.call('ZREM', KEYS[1], member)
  redis.call('UNLINK', PREFIX .. member)
  if not owner then return end
  local size, account = owner:match('^(%d+) (.*)$')
  redis.call('HDEL', KEYS[2], member)
  redis.call('ZREM', PREFIX .. 'account:' .. account, member)
  take('all', size)
  take(account, size)
end
