"""The Lua of quotas: who may create, who may dial, and rates. Each script is one atomic step inside one slot."""

from __future__ import annotations

from typing import Final

_NOW: Final = """
local function now_ms()
  local moment = redis.call('TIME')
  return moment[1] * 1000 + math.floor(moment[2] / 1000)
end
"""

_TAKE: Final = """
-- A bucket that `period` ms fill with `most` tokens (GCRA: what is kept is the moment at which it is full again).
-- Takes up to `wanted` of them; returns how many, and after how many ms there is one if there was none.
local function take(key, field, most, period, wanted, now)
  if most <= 0 then return 0, period end
  local each = period / most
  local full_at = math.max(tonumber(redis.call('HGET', key, field) or '0'), now)
  local left = math.floor((period - (full_at - now)) / each + 0.000001)
  if left < 1 then return 0, math.ceil(each - (period - (full_at - now))) end
  local taken = math.min(left, wanted)
  redis.call('HSET', key, field, string.format('%.3f', full_at + taken * each))
  return taken, 0
end
"""

ADMIT: Final = (
    _NOW
    + _TAKE
    + """
-- KEYS live participants, live conferences, dialling, kept, tallies
-- ARGV 'ConferenceSid.CallSid', ConferenceSid, 'CallSid:bytes', bytes of parameters, then limits: live participants,
--      live conferences, dialling, creates a second, kept participants, kept bytes; retention ms, ms after which a
--      member is looked at again, how many such members to return when admitted, and when refused
-- A call is a member of sets, not a number in a counter: nothing is counted twice or for ever, whoever dies when.
-- Returns {'ok' or the limit that is reached, ms until it is worth trying again, and members that nobody has looked at
-- for long: of live participants, of dialling, of live conferences}.
local now = now_ms()
local function doubtful(key, most)
  return redis.call('ZRANGEBYSCORE', key, 0, now - tonumber(ARGV[12]), 'LIMIT', 0, most)
end
local function answer(verdict, wait, most)
  return {verdict, wait, doubtful(KEYS[1], most), doubtful(KEYS[3], most), doubtful(KEYS[2], most)}
end
-- The client repeats a command whose answer was lost with the connection: then it is admitted already.
if redis.call('ZSCORE', KEYS[1], ARGV[1]) then return answer('ok', 0, 0) end
local taken, wait = take(KEYS[5], 'creates', tonumber(ARGV[8]), 1000, 1, now)
redis.call('PEXPIRE', KEYS[5], ARGV[11])
if taken == 0 then return answer('creates_per_second', wait, 0) end
if redis.call('ZCARD', KEYS[1]) >= tonumber(ARGV[5]) then return answer('live_participants', 5000, ARGV[14]) end
if not redis.call('ZSCORE', KEYS[2], ARGV[2]) and redis.call('ZCARD', KEYS[2]) >= tonumber(ARGV[6]) then
  return answer('live_conferences', 5000, ARGV[14])
end
if redis.call('ZCARD', KEYS[3]) >= tonumber(ARGV[7]) then return answer('dialling', 5000, ARGV[14]) end
-- What is older than the retention is kept no longer; a few at a time, more than one create adds.
for _, old in ipairs(redis.call('ZRANGEBYSCORE', KEYS[4], 0, now - tonumber(ARGV[11]), 'LIMIT', 0, 20)) do
  redis.call('ZREM', KEYS[4], old)
  redis.call('HINCRBY', KEYS[5], 'kept_bytes', -tonumber(string.match(old, ':(%d+)$')))
end
if redis.call('EXISTS', KEYS[4]) == 0 then redis.call('HDEL', KEYS[5], 'kept_bytes') end
local many = redis.call('ZCARD', KEYS[4]) >= tonumber(ARGV[9])
if many or tonumber(redis.call('HGET', KEYS[5], 'kept_bytes') or '0') + tonumber(ARGV[4]) > tonumber(ARGV[10]) then
  local oldest = redis.call('ZRANGE', KEYS[4], 0, 0, 'WITHSCORES')
  local ends = oldest[2] and oldest[2] + ARGV[11] - now or tonumber(ARGV[11])
  return answer(many and 'kept_participants' or 'kept_parameter_bytes', math.max(1000, math.floor(ends)), 0)
end
redis.call('ZADD', KEYS[1], now, ARGV[1])
redis.call('ZADD', KEYS[3], now, ARGV[1])
redis.call('ZADD', KEYS[2], 'NX', now, ARGV[2])
redis.call('ZADD', KEYS[4], now, ARGV[3])
redis.call('PEXPIRE', KEYS[4], ARGV[11])
redis.call('HINCRBY', KEYS[5], 'kept_bytes', ARGV[4])
return answer('ok', 0, ARGV[13])
"""
)

RELEASE: Final = """
-- KEYS live participants, dialling, kept, tallies, live conferences
-- ARGV 'ConferenceSid.CallSid', 'CallSid:bytes', bytes, ConferenceSid if it was this create's own, or ''
-- A create that was admitted and then refused: it was never there, but as one of its second.
redis.call('ZREM', KEYS[1], ARGV[1])
redis.call('ZREM', KEYS[2], ARGV[1])
if redis.call('ZREM', KEYS[3], ARGV[2]) == 1 then redis.call('HINCRBY', KEYS[4], 'kept_bytes', -ARGV[3]) end
if ARGV[4] ~= '' then redis.call('ZREM', KEYS[5], ARGV[4]) end
"""

LOOKED_AT: Final = (
    _NOW
    + """
-- KEYS a set; ARGV members, each behind '1' if it is still so and '0' if not
local now = now_ms()
for index = 1, #ARGV, 2 do
  if ARGV[index] == '1' then
    redis.call('ZADD', KEYS[1], 'XX', now, ARGV[index + 1])
  else
    redis.call('ZREM', KEYS[1], ARGV[index + 1])
  end
end
"""
)

TAKE: Final = (
    _NOW
    + _TAKE
    + """
-- KEYS tallies; ARGV field, most, period ms, wanted, keep ms. Returns {how many, ms until there is one}.
local taken, wait = take(KEYS[1], ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4]), now_ms())
redis.call('PEXPIRE', KEYS[1], ARGV[5])
return {taken, wait}
"""
)

RESERVE_SESSION: Final = (
    _NOW
    + """
-- KEYS node's dialled calls; ARGV CallSid, sessions that were free when the switch was asked, ms since then and until
-- a call shows there, sessions a second, keep ms
-- Returns 'ok', 'full' (no session is free), or 'fast' (the switch would refuse so many in a second).
local now = now_ms()
if redis.call('ZSCORE', KEYS[1], ARGV[1]) then return 'ok' end
redis.call('ZREMRANGEBYSCORE', KEYS[1], 0, now - tonumber(ARGV[5]))
if redis.call('ZCOUNT', KEYS[1], now - tonumber(ARGV[3]), '+inf') >= tonumber(ARGV[2]) then return 'full' end
if redis.call('ZCOUNT', KEYS[1], now - 1000, '+inf') >= tonumber(ARGV[4]) then return 'fast' end
redis.call('ZADD', KEYS[1], now, ARGV[1])
redis.call('PEXPIRE', KEYS[1], ARGV[5])
return 'ok'
"""
)
