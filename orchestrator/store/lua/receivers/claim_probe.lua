-- Lets one of those that wait for a paused receiver try it.
-- KEYS[1] the account's receivers
-- ARGV[1] host
-- ARGV[2] now ms
-- ARGV[3] until ms
-- Returns 1 for that one, else 0.

local row = redis.call('HGET', KEYS[1], ARGV[1])
if not row then return 1 end
local receiver = cjson.decode(row)
if receiver.paused_until_ms > tonumber(ARGV[2]) then return 0 end
receiver.paused_until_ms = tonumber(ARGV[3])
redis.call('HSET', KEYS[1], ARGV[1], cjson.encode(receiver))
return 1
