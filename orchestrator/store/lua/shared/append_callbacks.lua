-- Appends callbacks ([[token, planned ms, entry]…]) to a lane, and drops its oldest where it has more than `depth`.
-- The dropped ('token planned_ms') are added to a list. Returns whether somebody has to wake the lane: it was empty.

local function append_callbacks(keys, lane, callbacks, depth, keep, dropped)
  local tokens = {}
  for index, callback in ipairs(callbacks) do
    local token, planned_ms, entry = callback[1], callback[2], callback[3]
    redis.call('HSET', keys.callback .. token, 'entry', entry, 'lane', lane, 'state', 'waiting', 'reason', '',
      'attempts', '0', 'planned_ms', planned_ms, 'since_ms', planned_ms)
    redis.call('ZADD', keys.callbacks, planned_ms, token)
    tokens[index] = token
  end
  local length = redis.call('RPUSH', keys.outbox, unpack(tokens))
  local was_empty = length == #tokens
  if was_empty then redis.call('SADD', keys.lanes, lane) end
  while length > depth do
    local token = redis.call('LPOP', keys.outbox)
    redis.call('HSET', keys.callback .. token, 'state', 'dead', 'reason', 'depth')
    redis.call('EXPIRE', keys.callback .. token, keep)
    dropped[#dropped + 1] = token .. ' ' .. (redis.call('HGET', keys.callback .. token, 'planned_ms') or '0')
    length = length - 1
  end
  return was_empty
end
