-- Reserves a session of a node for a call.
-- KEYS[1] the node's dialled calls
-- ARGV[1] CallSid
-- ARGV[2] sessions that were free when the switch was asked
-- ARGV[3] ms since then and until a call shows there
-- ARGV[4] sessions a second
-- ARGV[5] keep ms
-- Returns 'ok', 'full' (no session is free), or 'fast' (the switch would refuse so many in a second).

-- include shared/now_ms

local now = now_ms()
-- Reserved before: it is dialled later than was thought then.
if redis.call('ZSCORE', KEYS[1], ARGV[1]) then
  redis.call('ZADD', KEYS[1], now, ARGV[1])
  return 'ok'
end
redis.call('ZREMRANGEBYSCORE', KEYS[1], 0, now - tonumber(ARGV[5]))
if redis.call('ZCOUNT', KEYS[1], now - tonumber(ARGV[3]), '+inf') >= tonumber(ARGV[2]) then return 'full' end
if redis.call('ZCOUNT', KEYS[1], now - 1000, '+inf') >= tonumber(ARGV[4]) then return 'fast' end
redis.call('ZADD', KEYS[1], now, ARGV[1])
redis.call('PEXPIRE', KEYS[1], ARGV[5])
return 'ok'
