-- Notes when a participant was dialled, for the first time or by another gateway, and how many gateways were left then.
-- KEYS[1] participant
-- ARGV[1] moment (ISO 8601)
-- ARGV[2] gateways left
-- Returns nothing.

local known = redis.call('HMGET', KEYS[1], 'dialled_at', 'tried_left')
if not known[1] then return end
local is_first = known[1] == ''
if is_first then redis.call('HSET', KEYS[1], 'dialled_at', ARGV[1]) end
if is_first or tonumber(known[2] or '0') > tonumber(ARGV[2]) then
  redis.call('HSET', KEYS[1], 'tried_at', ARGV[1], 'tried_left', ARGV[2])
end
