-- Leases a lane and reads its head.
-- KEYS[1] outbox
-- KEYS[2] lease
-- KEYS[3] retry
-- KEYS[4] lanes
-- KEYS[5] callback without its token
-- ARGV[1] owner
-- ARGV[2] lease ms
-- ARGV[3] now ms
-- ARGV[4] lane
-- Returns {'busy'} | {'wait', due ms} | {'empty'} | {'ok', token, entry, attempts, waiting since ms}.

-- include shared/read_head

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
