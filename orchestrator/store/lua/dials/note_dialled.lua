-- Notes when a participant was dialled, and how many gateways were left then.
-- KEYS[1] participant
-- ARGV[1] moment (ISO 8601)
-- ARGV[2] gateways left
-- Returns nothing.

local known = redis.call('HMGET', KEYS[1], 'dialled_at', 'tried_left')
if not known[1] then return end
if known[1] == '' or tonumber(known[2] or '0') > tonumber(ARGV[2]) then
  redis.call('HSET', KEYS[1], 'dialled_at', ARGV[1], 'tried_left', ARGV[2])
end
