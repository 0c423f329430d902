"""The Lua of the outbox: lanes, callbacks and their attempts. Each script is one atomic step inside one slot."""

from __future__ import annotations

from typing import Final

_READ_HEAD: Final = """
-- The token at a lane's head and what is known of it; passes over tokens whose callback has expired.
local function read_head(outbox, callback)
  while true do
    local token = redis.call('LINDEX', outbox, 0)
    if not token then return nil end
    local found = redis.call('HMGET', callback .. token, 'entry', 'attempts', 'since_ms')
    if found[1] then return token, found end
    redis.call('LPOP', outbox)
  end
end
"""

TAKE_LANE: Final = (
    _READ_HEAD
    + """
-- KEYS outbox, lease, retry, lanes, callback without its token; ARGV owner, lease ms, now ms, lane
-- Returns {'busy'} | {'wait', due ms} | {'empty'} | {'ok', token, entry, attempts, waiting since ms}
local holder = redis.call('GET', KEYS[2])
if holder and holder ~= ARGV[1] then return {'busy'} end
local token, found = read_head(KEYS[1], KEYS[5])
if not token then
  redis.call('SREM', KEYS[4], ARGV[4])
  redis.call('DEL', KEYS[3])
  return {'empty'}
end
local due = redis.call('GET', KEYS[3])
if due and tonumber(due) > tonumber(ARGV[3]) then return {'wait', due} end
redis.call('SET', KEYS[2], ARGV[1], 'PX', ARGV[2])
return {'ok', token, found[1], found[2], found[3]}
"""
)

_KEEP_ATTEMPT: Final = """
-- The first ten attempts and the last twenty are kept: an outage of a day would fill megabytes.
local function keep_attempts(key, attempts)
  for _, row in ipairs(cjson.decode(attempts)) do
    local number = tonumber(row[1])
    redis.call('HSET', key, 'attempts', row[1], 'attempt:' .. row[1], row[2])
    if number > 30 then redis.call('HDEL', key, 'attempt:' .. (number - 20)) end
  end
end
"""

FINISH_HEAD: Final = (
    _READ_HEAD
    + _KEEP_ATTEMPT
    + """
-- KEYS outbox, lease, retry, lanes, callback without its token
-- ARGV owner, lane, lease ms, token, state, reason, attempts (JSON: [[number, attempt]…]), retention s
-- The callback is delivered or dead. Returns the next: {'ok', token, entry, attempts, since} | {'empty'} | {'lost'}.
-- An empty lane gives its lease up in the same step, so no later callback can be overlooked.
local holder = redis.call('GET', KEYS[2])
if holder ~= ARGV[1] then
  -- Redis was away for longer than a lease; what was done counts if nobody has begun to do it again.
  if holder or redis.call('LINDEX', KEYS[1], 0) ~= ARGV[4] then return {'lost'} end
  redis.call('SET', KEYS[2], ARGV[1], 'PX', ARGV[3])
end
local record = KEYS[5] .. ARGV[4]
keep_attempts(record, ARGV[7])
redis.call('HSET', record, 'state', ARGV[5], 'reason', ARGV[6])
redis.call('EXPIRE', record, ARGV[8])
if redis.call('LINDEX', KEYS[1], 0) == ARGV[4] then redis.call('LPOP', KEYS[1]) end
redis.call('DEL', KEYS[3])
local token, found = read_head(KEYS[1], KEYS[5])
if not token then
  redis.call('SREM', KEYS[4], ARGV[2])
  redis.call('DEL', KEYS[2])
  return {'empty'}
end
redis.call('PEXPIRE', KEYS[2], ARGV[3])
return {'ok', token, found[1], found[2], found[3]}
"""
)

RETRY_HEAD: Final = (
    _KEEP_ATTEMPT
    + """
-- KEYS outbox, lease, retry, callback without its token; ARGV owner, due ms, token, attempts (JSON), keep s
-- The lane waits until then, in its order, and anybody may take it. A lease that ran out: as in FINISH_HEAD.
local holder = redis.call('GET', KEYS[2])
if holder ~= ARGV[1] and (holder or redis.call('LINDEX', KEYS[1], 0) ~= ARGV[3]) then return 0 end
keep_attempts(KEYS[4] .. ARGV[3], ARGV[4])
redis.call('SET', KEYS[3], ARGV[2], 'EX', ARGV[5])
redis.call('DEL', KEYS[2])
return 1
"""
)

SETTLE_DUE: Final = """
-- KEYS lanes:due; ARGV moment (ms), then lane, its moment as read, '1' if it is empty, …
-- A lane that somebody has written since it was read is left alone: it has been filled, or has a retry of its own.
for index = 2, #ARGV, 3 do
  if redis.call('ZSCORE', KEYS[1], ARGV[index]) == ARGV[index + 1] then
    if ARGV[index + 2] == '1' then
      redis.call('ZREM', KEYS[1], ARGV[index])
    else
      redis.call('ZADD', KEYS[1], ARGV[1], ARGV[index])
    end
  end
end
"""

RENEW: Final = """
-- KEYS lease; ARGV owner, lease ms
if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('PEXPIRE', KEYS[1], ARGV[2]) end
return 0
"""

RELEASE_LANE: Final = """
-- KEYS lease; ARGV owner
if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('DEL', KEYS[1]) end
return 0
"""

FAIL_RECEIVER: Final = """
-- KEYS receivers; ARGV host, now ms, when the attempt began (ms), failures and ms that make a pause, first and longest
-- pause (ms), keep s. Returns the row. Requests that were under way when the pause began say nothing new.
local text = redis.call('HGET', KEYS[1], ARGV[1])
local now = tonumber(ARGV[2])
local row = text and cjson.decode(text)
  or {host = ARGV[1], failures = 0, failing_since_ms = now, paused_until_ms = 0, paused_at_ms = 0, pauses = 0}
if row.pauses > 0 and tonumber(ARGV[3]) < (row.paused_at_ms or 0) then return text end
row.failures = row.failures + 1
local for_long = row.failures >= tonumber(ARGV[4]) and now - row.failing_since_ms >= tonumber(ARGV[5])
if for_long or row.pauses > 0 then
  row.paused_until_ms = now + math.min(tonumber(ARGV[6]) * 2 ^ math.min(row.pauses, 10), tonumber(ARGV[7]))
  row.paused_at_ms = now
  row.pauses = row.pauses + 1
end
text = cjson.encode(row)
redis.call('HSET', KEYS[1], ARGV[1], text)
redis.call('EXPIRE', KEYS[1], ARGV[8])
return text
"""

CLAIM_PROBE: Final = """
-- KEYS receivers; ARGV host, now ms, until ms. One of those that wait for a paused receiver may try it: 1 for that one.
local row = redis.call('HGET', KEYS[1], ARGV[1])
if not row then return 1 end
local receiver = cjson.decode(row)
if receiver.paused_until_ms > tonumber(ARGV[2]) then return 0 end
receiver.paused_until_ms = tonumber(ARGV[3])
redis.call('HSET', KEYS[1], ARGV[1], cjson.encode(receiver))
return 1
"""

REPLAY: Final = """
-- KEYS callback, outbox, lanes; ARGV token, lane, now ms
-- A finished callback waits again, at the end of its lane, under its old token. Returns 1, or 0 if it is not finished.
local state = redis.call('HGET', KEYS[1], 'state')
if state ~= 'dead' and state ~= 'delivered' then return 0 end
redis.call('HSET', KEYS[1], 'state', 'waiting', 'reason', '', 'since_ms', ARGV[3])
redis.call('HINCRBY', KEYS[1], 'replays', 1)
redis.call('PERSIST', KEYS[1])
redis.call('RPUSH', KEYS[2], ARGV[1])
redis.call('SADD', KEYS[3], ARGV[2])
return 1
"""
