-- Keeps a value until it ends, and counts it; what ends first goes to make room.
-- KEYS[1] when each ends
-- KEYS[2] owners
-- KEYS[3] bytes
-- KEYS[4] how many were dropped
-- ARGV[1] what all media keys begin with
-- ARGV[2] the value's key without that
-- ARGV[3] AccountSid
-- ARGV[4] value
-- ARGV[5] now ms
-- ARGV[6] ends ms
-- ARGV[7] the account's bound in bytes
-- ARGV[8] the bound of all
-- ARGV[9] what a value costs besides itself
-- Returns how many went, or -1: too large.

-- include shared/drop_media

local function kept(field) return tonumber(redis.call('HGET', KEYS[3], field) or 0) end
local member, account, value = ARGV[2], ARGV[3], ARGV[4]
local per_account, in_all, size = tonumber(ARGV[7]), tonumber(ARGV[8]), #value + tonumber(ARGV[9])
drop(member)
for _, ended in ipairs(redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', ARGV[5], 'LIMIT', 0, 200)) do drop(ended) end
if size > per_account or size > in_all then return -1 end
local mine, dropped = PREFIX .. 'account:' .. account, 0
local function make_room(index, field, bound, reason)
  while kept(field) + size > bound do
    local oldest = redis.call('ZRANGE', index, 0, 0)[1]
    if not oldest then redis.call('HDEL', KEYS[3], field) break end
    drop(oldest)
    redis.call('ZREM', index, oldest)
    redis.call('HINCRBY', KEYS[4], reason, 1)
    dropped = dropped + 1
  end
end
make_room(mine, account, per_account, 'account')
make_room(KEYS[1], 'all', in_all, 'all')
redis.call('SET', PREFIX .. member, value, 'PXAT', ARGV[6])
redis.call('ZADD', KEYS[1], ARGV[6], member)
redis.call('ZADD', mine, ARGV[6], member)
redis.call('HSET', KEYS[2], member, string.format('%d', size) .. ' ' .. account)
redis.call('HINCRBY', KEYS[3], 'all', size)
redis.call('HINCRBY', KEYS[3], account, size)
return dropped
