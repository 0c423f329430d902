"""All Lua. Each script is one atomic step; every key it touches carries the same hash tag (see keys.py).

A conference's `version` rises with every write that changes what `transitions.apply` looks at; `COMMIT` refuses
a change that was computed from an older version, and its caller loads and applies again.
"""

from __future__ import annotations

from typing import Final

from orchestrator.store.memory import FREEING

CLAIM_NAME: Final = """
-- KEYS names; ARGV name, candidate ConferenceSid, stale ConferenceSid or ''. Returns the name's ConferenceSid.
local current = redis.call('HGET', KEYS[1], ARGV[1])
if current and current ~= ARGV[3] then return current end
redis.call('HSET', KEYS[1], ARGV[1], ARGV[2])
return ARGV[2]
"""

RELEASE_NAME: Final = """
-- KEYS names; ARGV name, ConferenceSid. Removes the name only if it still means this conference.
if redis.call('HGET', KEYS[1], ARGV[1]) == ARGV[2] then redis.call('HDEL', KEYS[1], ARGV[1]) end
"""

CREATE_PARTICIPANT: Final = """
-- KEYS conference, participant, live participants, labels, participant without its CallSid
-- ARGV account_sid, call_sid, created ms, label or '', max participants, coached CallSid or '',
--      participant fields (JSON), conference fields (JSON) or '' if it has to exist
-- Returns {verdict, conference…}; verdict: ok, missing, ended, full, label, coach, held.
local conference = KEYS[1]
local account = redis.call('HGET', conference, 'account_sid')
if account and account ~= ARGV[1] then return {'missing'} end
if not account and ARGV[8] == '' then return {'missing'} end
-- The client repeats a command whose answer was lost with the connection: then it is written already.
if account and redis.call('EXISTS', KEYS[2]) == 1 then return {'ok', redis.call('HGETALL', conference)} end
if account then
  local state = redis.call('HMGET', conference, 'status', 'end_reason', 'live_count')
  if state[1] == 'completed' or state[2] ~= '' then return {'ended'} end
  if tonumber(state[3]) >= tonumber(ARGV[5]) then return {'full'} end
end
local holder = ARGV[4] ~= '' and redis.call('HGET', KEYS[4], ARGV[4])
-- One that is being removed (also a create that was told to have failed) gives its label up.
if holder and redis.call('HGET', KEYS[5] .. holder, 'removal_requested') ~= '1' then return {'label'} end
if ARGV[6] ~= '' then
  if not redis.call('ZSCORE', KEYS[3], ARGV[6]) then return {'coach'} end
  local held = redis.call('HMGET', KEYS[5] .. ARGV[6], 'hold', 'hold_wanted')
  if held[2] == '1' or (held[2] == '' and held[1] == '1') then return {'held'} end
end
if not account then redis.call('HSET', conference, unpack(cjson.decode(ARGV[8]))) end
redis.call('HINCRBY', conference, 'live_count', 1)
redis.call('HINCRBY', conference, 'version', 1)
redis.call('HSET', KEYS[2], unpack(cjson.decode(ARGV[7])))
redis.call('HSET', KEYS[2], 'node', redis.call('HGET', conference, 'node'))
redis.call('ZADD', KEYS[3], ARGV[3], ARGV[2])
if ARGV[4] ~= '' then redis.call('HSET', KEYS[4], ARGV[4], ARGV[2]) end
return {'ok', redis.call('HGETALL', conference)}
"""

_FIND = """
-- KEYS conference, labels, participant without its CallSid; ARGV account_sid, CallSid or label, 'call' or 'label'
if redis.call('HGET', KEYS[1], 'account_sid') ~= ARGV[1] then return {'missing'} end
local call_sid = ARGV[2]
if ARGV[3] == 'label' then call_sid = redis.call('HGET', KEYS[2], ARGV[2]) end
if not call_sid then return {'missing'} end
local participant = KEYS[3] .. call_sid
local status = redis.call('HGET', participant, 'status')
if not status or status == 'complete' or status == 'failed' then return {'missing'} end
"""

_FIND_TO_CHANGE = FREEING + _FIND

FIND_PARTICIPANT: Final = _FIND + "return {'ok', redis.call('HGETALL', participant)}"

WANT_MUTED: Final = (
    _FIND_TO_CHANGE
    + """
-- ARGV[4]: '1' or '0'. Nothing is written if the switch has said so already and no other request is open.
-- Before somebody is a member only the listener can tell the switch, when it hears that they are: it has to see this.
local known = redis.call('HMGET', participant, 'muted', 'muted_wanted', 'member_id')
if known[1] ~= ARGV[4] or known[2] ~= '' then
  redis.call('HSET', participant, 'muted_wanted', ARGV[4])
  if (known[3] or '') == '' then redis.call('HINCRBY', KEYS[1], 'version', 1) end
end
return {'ok', redis.call('HGETALL', participant), known[2]}
"""
)

WANT_HOLD: Final = (
    _FIND_TO_CHANGE
    + """
-- ARGV[4]: '1' or '0'; ARGV[5…]: hold_url, its value, and so on. The version rises always: who hears the
-- conference is decided by whoever applies the next event.
local known = redis.call('HMGET', participant, 'hold', 'hold_wanted')
local wanted = known[2] or ''
local was = wanted ~= '' and wanted or known[1]
if was == '0' and ARGV[4] == '1' then redis.call('HINCRBY', participant, 'hold_turn', 1) end
if known[1] ~= ARGV[4] or wanted ~= '' then redis.call('HSET', participant, 'hold_wanted', ARGV[4]) end
if #ARGV > 4 then redis.call('HSET', participant, unpack(ARGV, 5)) end
redis.call('HINCRBY', KEYS[1], 'version', 1)
return {'ok', redis.call('HGETALL', participant), wanted}
"""
)

UNWANT: Final = """
-- KEYS participant, conference; ARGV field, what was wanted, what was wanted before. Undoes a request that was refused.
if redis.call('HGET', KEYS[1], ARGV[1]) == ARGV[2] then
  redis.call('HSET', KEYS[1], ARGV[1], ARGV[3])
  redis.call('HINCRBY', KEYS[2], 'version', 1)
end
"""

REQUEST_REMOVAL: Final = (
    _FIND_TO_CHANGE
    + """
redis.call('HSET', participant, 'removal_requested', '1')
redis.call('HINCRBY', KEYS[1], 'version', 1)
return {'ok', redis.call('HGETALL', participant)}
"""
)

REQUEST_END: Final = (
    FREEING
    + """
-- KEYS conference; ARGV account_sid, end reason. Returns {verdict, conference…}; verdict: ok, missing
if redis.call('HGET', KEYS[1], 'account_sid') ~= ARGV[1] then return {'missing'} end
local state = redis.call('HMGET', KEYS[1], 'status', 'end_reason')
if state[1] ~= 'completed' and state[2] == '' then
  redis.call('HSET', KEYS[1], 'end_reason', ARGV[2])
  redis.call('HINCRBY', KEYS[1], 'version', 1)
end
return {'ok', redis.call('HGETALL', KEYS[1])}
"""
)

COMMIT: Final = (
    FREEING
    + """
-- KEYS conference, live participants, labels, lanes, callback without its token, callbacks of the conference,
--      announcements that are owed an end, then participant keys, then outbox keys
-- ARGV expected version, commit id, change (JSON): {conference: [f, v…], expire: s, keep: s, oldest_ms, depth: n,
--      participants: [{key: index into KEYS, fields: [f, v…], ended: CallSid or false, left: bool, label: '',
--                      call_sid: '', muted: bool, expire: s}],
--      outbox: [{key: index, lane: name, callbacks: [[token, planned ms, entry]…]}], announced: [id…]}
-- Returns {0} if the version is another one; {1, {lanes to wake…}, {'token planned_ms' of what fell out of one…},
-- {'CallSid 1' or 'CallSid 0' of those whose switch has just said the opposite of what is wanted…}}.
-- A commit that is repeated because its answer was lost is told as if it had just been done.
local change = cjson.decode(ARGV[3])
local lanes, dropped, contested = {}, {}, {}
if redis.call('HGET', KEYS[1], 'version') ~= ARGV[1] then
  if redis.call('HGET', KEYS[1], 'commit_id') ~= ARGV[2] then return {0} end
  for _, row in ipairs(change.outbox) do lanes[#lanes + 1] = row.lane end
  return {1, lanes, dropped, contested}
end
if #change.conference > 0 then redis.call('HSET', KEYS[1], unpack(change.conference)) end
redis.call('HSET', KEYS[1], 'commit_id', ARGV[2])
redis.call('HINCRBY', KEYS[1], 'version', 1)
if change.expire > 0 then redis.call('EXPIRE', KEYS[1], change.expire) end
for _, row in ipairs(change.participants) do
  local key = KEYS[row.key]
  if #row.fields > 0 then redis.call('HSET', key, unpack(row.fields)) end
  local known = redis.call('HMGET', key, 'muted', 'muted_wanted', 'hold', 'hold_wanted')
  if known[1] == known[2] then redis.call('HSET', key, 'muted_wanted', '') end
  if row.muted and known[2] and known[2] ~= '' and known[1] ~= known[2] then
    contested[#contested + 1] = row.call_sid .. ' ' .. known[2]
  end
  if known[3] == known[4] then redis.call('HSET', key, 'hold_wanted', '') end
  if row.left and row.label ~= '' and redis.call('HGET', KEYS[3], row.label) == row.call_sid then
    redis.call('HDEL', KEYS[3], row.label)
  end
  if row.ended then redis.call('ZREM', KEYS[2], row.call_sid) end
  if row.expire > 0 then redis.call('EXPIRE', key, row.expire) end
end
for _, id in ipairs(change.announced) do redis.call('HDEL', KEYS[7], id) end
for _, row in ipairs(change.outbox) do
  local key, tokens = KEYS[row.key], {}
  for index, callback in ipairs(row.callbacks) do
    local token, planned_ms, entry = callback[1], callback[2], callback[3]
    redis.call('HSET', KEYS[5] .. token, 'entry', entry, 'lane', row.lane, 'state', 'waiting', 'reason', '',
      'attempts', '0', 'planned_ms', planned_ms, 'since_ms', planned_ms)
    redis.call('ZADD', KEYS[6], planned_ms, token)
    tokens[index] = token
  end
  local length = redis.call('RPUSH', key, unpack(tokens))
  if length == #tokens then
    redis.call('SADD', KEYS[4], row.lane)
    lanes[#lanes + 1] = row.lane
  end
  while length > change.depth do
    local token = redis.call('LPOP', key)
    redis.call('HSET', KEYS[5] .. token, 'state', 'dead', 'reason', 'depth')
    redis.call('EXPIRE', KEYS[5] .. token, change.keep)
    dropped[#dropped + 1] = token .. ' ' .. (redis.call('HGET', KEYS[5] .. token, 'planned_ms') or '0')
    length = length - 1
  end
end
if #change.outbox > 0 then
  redis.call('ZREMRANGEBYSCORE', KEYS[6], 0, change.oldest_ms)
  redis.call('EXPIRE', KEYS[6], change.keep)
end
return {1, lanes, dropped, contested}
"""
)
