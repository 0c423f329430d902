-- Renews a node's lease, also one that has run out while nobody else has taken it.
-- KEYS[1] lease
-- ARGV[1] epoch
-- ARGV[2] lease ms; 0 gives it back
-- Returns 1, or 0 if another has it by now.

-- include shared/now_ms

if redis.call('HGET', KEYS[1], 'epoch') ~= ARGV[1] then return 0 end
local length = tonumber(ARGV[2])
redis.call('HSET', KEYS[1], 'until_ms', length == 0 and '0' or string.format('%d', now_ms() + length))
return 1
