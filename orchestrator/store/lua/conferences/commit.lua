-- Writes what a batch of events has changed in a conference, with the callbacks that follow, if nobody has changed it
-- since it was read. A commit that is repeated because its answer was lost is told as if it had just been done.
-- KEYS[1] conference
-- KEYS[2] live participants
-- KEYS[3] labels
-- KEYS[4] lanes
-- KEYS[5] callback without its token
-- KEYS[6] callbacks of the conference
-- KEYS[7] announcements that are owed an end
-- KEYS[8…] records of subjects beside the conference, then outboxes
-- ARGV[1] expected version
-- ARGV[2] commit id
-- ARGV[3] change (JSON): {conference: [f, v…], expire: s, keep: s, oldest_ms, depth: n,
--   records: [{key: index into KEYS, fields: [f, v…], expire: s or 0,
--              call: {sid: CallSid, ended: bool, left: bool, label: '', added: bool, muted: bool, hold: bool,
--                    wishes: [f…]}: of a participant only; the three before the last, whether the switch has spoken of
--                    that; `wishes`: fields that name who asked for what it has said}],
--   outbox: [{key: index, lane: name, callbacks: [[token, planned ms, entry, 'CallSid f' of its wish or '']…]}],
--   announced: [id…]}
-- ARGV[4] epoch of the listener's lease; '' if it is no listener's
-- Returns {-1} if there is a newer epoch; {0} if the version is another one; {1, {lanes to wake…},
-- {'token planned_ms' of what fell out of one…}, {'CallSid 1' or 'CallSid 0' of those whose switch has just said the
-- opposite of what is wanted…}, {'CallSid f RequestId' of each wish…}}.

-- include shared/freeing
-- include shared/append_callbacks
-- include shared/fence

local stamp = redis.call('HMGET', KEYS[1], 'version', 'epoch')
if is_fenced(stamp[2], ARGV[4]) then return {-1} end
local change = cjson.decode(ARGV[3])
local lanes, dropped, contested, requests, asked = {}, {}, {}, {}, {}
if stamp[1] ~= ARGV[1] then
  if redis.call('HGET', KEYS[1], 'commit_id') ~= ARGV[2] then return {0} end
  for _, row in ipairs(change.outbox) do lanes[#lanes + 1] = row.lane end
  return {1, lanes, dropped, contested, requests}
end
if #change.conference > 0 then redis.call('HSET', KEYS[1], unpack(change.conference)) end
redis.call('HSET', KEYS[1], 'commit_id', ARGV[2], 'epoch', ARGV[4] ~= '' and ARGV[4] or stamp[2] or '')
redis.call('HINCRBY', KEYS[1], 'version', 1)
if change.expire > 0 then redis.call('EXPIRE', KEYS[1], change.expire) end
for _, row in ipairs(change.records) do
  local key, call = KEYS[row.key], row.call
  if #row.fields > 0 then redis.call('HSET', key, unpack(row.fields)) end
  if call then
    local known = redis.call('HMGET', key, 'muted', 'muted_wanted', 'hold', 'hold_wanted', 'member_id')
    local is_member = (known[5] or '') ~= ''
    local says_muted, says_hold = is_member and (call.added or call.muted), is_member and (call.added or call.hold)
    for _, field in ipairs(call.wishes) do
      local wish, request = call.sid .. ' ' .. field, redis.call('HGET', key, field) or ''
      if request ~= '' then
        asked[wish] = request
        requests[#requests + 1] = wish .. ' ' .. request
      end
    end
    if says_muted and known[1] == known[2] then
      redis.call('HSET', key, 'muted_wanted', '')
      redis.call('HDEL', key, 'mute_request', 'unmute_request')
    end
    if call.muted and known[2] and known[2] ~= '' and known[1] ~= known[2] then
      contested[#contested + 1] = call.sid .. ' ' .. known[2]
    end
    if says_hold and known[3] == known[4] then
      redis.call('HSET', key, 'hold_wanted', '')
      redis.call('HDEL', key, 'hold_request', 'unhold_request')
    end
    if call.left and call.label ~= '' and redis.call('HGET', KEYS[3], call.label) == call.sid then
      redis.call('HDEL', KEYS[3], call.label)
    end
    if call.ended then redis.call('ZREM', KEYS[2], call.sid) end
  end
  if row.expire > 0 then redis.call('EXPIRE', key, row.expire) end
end
for _, id in ipairs(change.announced) do redis.call('HDEL', KEYS[7], id) end
for _, row in ipairs(change.outbox) do
  for _, callback in ipairs(row.callbacks) do
    local request = asked[callback[4]]
    if request then callback[3] = callback[3]:gsub('"request_id":""', '"request_id":"' .. request .. '"', 1) end
  end
  local keys = { lanes = KEYS[4], callback = KEYS[5], callbacks = KEYS[6], outbox = KEYS[row.key] }
  if append_callbacks(keys, row.lane, row.callbacks, change.depth, change.keep, dropped) then
    lanes[#lanes + 1] = row.lane
  end
end
if #change.outbox > 0 then
  redis.call('ZREMRANGEBYSCORE', KEYS[6], 0, change.oldest_ms)
  redis.call('EXPIRE', KEYS[6], change.keep)
end
return {1, lanes, dropped, contested, requests}
