"""All Lua. Each script is one atomic step; every key it touches carries the same hash tag (see keys.py).

A conference's `version` rises with every write that changes what `transitions.apply` looks at; `COMMIT` refuses
a change that was computed from an older version, and its caller loads and applies again.
"""

from __future__ import annotations

from typing import Final

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
-- KEYS conference, participant, live participants, labels
-- ARGV account_sid, call_sid, created ms, label or '', max participants, coached CallSid or '',
--      participant fields (JSON), conference fields (JSON) or '' if it has to exist
-- Returns {verdict, conference…}; verdict: ok, missing, ended, full, label, coach.
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
if ARGV[4] ~= '' and redis.call('HEXISTS', KEYS[4], ARGV[4]) == 1 then return {'label'} end
if ARGV[6] ~= '' and not redis.call('ZSCORE', KEYS[3], ARGV[6]) then return {'coach'} end
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

FIND_PARTICIPANT: Final = _FIND + "return {'ok', redis.call('HGETALL', participant)}"

WANT_MUTED: Final = (
    _FIND
    + """
-- ARGV[4]: '1' or '0'. Nothing is written if the switch has said so already and no other request is open.
-- Before the join only the listener can tell the switch, when it applies the join: it has to see this.
local known = redis.call('HMGET', participant, 'muted', 'muted_wanted', 'member_id')
if known[1] ~= ARGV[4] or known[2] ~= '' then
  redis.call('HSET', participant, 'muted_wanted', ARGV[4])
  if known[3] == '' then redis.call('HINCRBY', KEYS[1], 'version', 1) end
end
return {'ok', redis.call('HGETALL', participant), known[2]}
"""
)

UNWANT_MUTED: Final = """
-- KEYS participant; ARGV what was wanted, what was wanted before. Undoes a request that the switch refused.
if redis.call('HGET', KEYS[1], 'muted_wanted') == ARGV[1] then
  redis.call('HSET', KEYS[1], 'muted_wanted', ARGV[2])
end
"""

CHANGE_PARTICIPANT: Final = (
    _FIND
    + """
-- ARGV[4…]: field, value, … of the participant that `apply` looks at
redis.call('HSET', participant, unpack(ARGV, 4))
redis.call('HINCRBY', KEYS[1], 'version', 1)
return {'ok', redis.call('HGETALL', participant)}
"""
)

REQUEST_END: Final = """
-- KEYS conference; ARGV account_sid, end reason. Returns {verdict, conference…}; verdict: ok, missing
if redis.call('HGET', KEYS[1], 'account_sid') ~= ARGV[1] then return {'missing'} end
local state = redis.call('HMGET', KEYS[1], 'status', 'end_reason')
if state[1] ~= 'completed' and state[2] == '' then
  redis.call('HSET', KEYS[1], 'end_reason', ARGV[2])
  redis.call('HINCRBY', KEYS[1], 'version', 1)
end
return {'ok', redis.call('HGETALL', KEYS[1])}
"""

COMMIT: Final = """
-- KEYS conference, live participants, labels, lanes, then participant keys, then outbox keys
-- ARGV expected version, change (JSON): {conference: [f, v…], expire: s, depth: n,
--      participants: [{key: index into KEYS, fields: [f, v…], gone: CallSid or false, label: '', expire: s}],
--      outbox: [{key: index, lane: name, entries: [text…]}]}
-- Returns {0} if the version is another one, else {1, lanes that were empty…, then 'dropped', count if any}
if redis.call('HGET', KEYS[1], 'version') ~= ARGV[1] then return {0} end
local change = cjson.decode(ARGV[2])
if #change.conference > 0 then redis.call('HSET', KEYS[1], unpack(change.conference)) end
redis.call('HINCRBY', KEYS[1], 'version', 1)
if change.expire > 0 then redis.call('EXPIRE', KEYS[1], change.expire) end
for _, row in ipairs(change.participants) do
  local key = KEYS[row.key]
  if #row.fields > 0 then redis.call('HSET', key, unpack(row.fields)) end
  local known = redis.call('HMGET', key, 'muted', 'muted_wanted')
  if known[1] == known[2] then redis.call('HSET', key, 'muted_wanted', '') end
  if row.gone then
    redis.call('ZREM', KEYS[2], row.gone)
    if row.label ~= '' and redis.call('HGET', KEYS[3], row.label) == row.gone then
      redis.call('HDEL', KEYS[3], row.label)
    end
  end
  if row.expire > 0 then redis.call('EXPIRE', key, row.expire) end
end
local answer, dropped = {1}, 0
for _, row in ipairs(change.outbox) do
  local key = KEYS[row.key]
  local length = redis.call('RPUSH', key, unpack(row.entries))
  if length == #row.entries then
    redis.call('SADD', KEYS[4], row.lane)
    answer[#answer + 1] = row.lane
  end
  while length > change.depth do
    redis.call('LPOP', key)
    length = length - 1
    dropped = dropped + 1
  end
end
if dropped > 0 then
  answer[#answer + 1] = 'dropped'
  answer[#answer + 1] = tostring(dropped)
end
return answer
"""

TAKE_LANE: Final = """
-- KEYS outbox, lease, retry, lanes; ARGV owner, lease ms, now ms, lane. An empty lane is forgotten.
-- Returns {'busy'} | {'wait', due ms} | {'empty'} | {'ok', entry, attempts}
local holder = redis.call('GET', KEYS[2])
if holder and holder ~= ARGV[1] then return {'busy'} end
local head = redis.call('LINDEX', KEYS[1], 0)
if not head then
  redis.call('SREM', KEYS[4], ARGV[4])
  return {'empty'}
end
local retry = redis.call('HMGET', KEYS[3], 'attempts', 'due')
if retry[2] and tonumber(retry[2]) > tonumber(ARGV[3]) then return {'wait', retry[2]} end
redis.call('SET', KEYS[2], ARGV[1], 'PX', ARGV[2])
return {'ok', head, retry[1] or '0'}
"""

FINISH_HEAD: Final = """
-- KEYS outbox, lease, retry, lanes; ARGV owner, lane, lease ms, the entry that was worked on
-- Removes it (unless a full outbox has dropped it meanwhile) and returns the next: {'ok', next} | {'empty'}
-- | {'lost'}. An empty lane gives its lease up in the same step, so no later entry can be overlooked.
if redis.call('GET', KEYS[2]) ~= ARGV[1] then return {'lost'} end
if redis.call('LINDEX', KEYS[1], 0) == ARGV[4] then redis.call('LPOP', KEYS[1]) end
redis.call('DEL', KEYS[3])
local head = redis.call('LINDEX', KEYS[1], 0)
if not head then
  redis.call('SREM', KEYS[4], ARGV[2])
  redis.call('DEL', KEYS[2])
  return {'empty'}
end
redis.call('PEXPIRE', KEYS[2], ARGV[3])
return {'ok', head}
"""

RETRY_HEAD: Final = """
-- KEYS outbox, lease, retry; ARGV owner, attempts so far, due ms. Gives the lease up until then.
if redis.call('GET', KEYS[2]) ~= ARGV[1] then return 0 end
redis.call('HSET', KEYS[3], 'attempts', ARGV[2], 'due', ARGV[3])
redis.call('DEL', KEYS[2])
return 1
"""

RELEASE_LANE: Final = """
-- KEYS lease; ARGV owner
if redis.call('GET', KEYS[1]) == ARGV[1] then redis.call('DEL', KEYS[1]) end
"""
