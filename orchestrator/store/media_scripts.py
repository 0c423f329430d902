"""The Lua of media: how many bytes are kept, whose they are, and what goes first. Every key carries {media}."""

from __future__ import annotations

from typing import Final

_DROP: Final = """
-- KEYS ends, owners, bytes, dropped; PREFIX is what all media keys begin with.
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
local function kept(field) return tonumber(redis.call('HGET', KEYS[3], field) or 0) end
"""

SAVE: Final = (
    _DROP
    + """
-- ARGV prefix, member, account, value, now ms, ends ms, the account's bound, the bound of all, what a value costs
-- besides itself (bytes). Keeps the value until `ends` and counts it; what ends first goes to make room.
-- Returns how many went, or -1: too large.
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
"""
)

FORGET: Final = _DROP + "drop(ARGV[2])\n"

TOUCH: Final = """
-- KEYS the clip, ends, owners; ARGV prefix, member, ends ms. Returns 1, or 0 if the clip is gone; one that is not
-- counted is none.
if redis.call('EXISTS', KEYS[1]) == 0 then return 0 end
local owner = redis.call('HGET', KEYS[3], ARGV[2])
if not owner then return 0 end
local ends = tonumber(ARGV[3])
if tonumber(redis.call('ZSCORE', KEYS[2], ARGV[2]) or 0) >= ends then return 1 end
redis.call('PEXPIREAT', KEYS[1], ARGV[3])
redis.call('ZADD', KEYS[2], ends, ARGV[2])
redis.call('ZADD', ARGV[1] .. 'account:' .. owner:match(' (.*)$'), ends, ARGV[2])
return 1
"""
