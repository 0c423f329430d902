-- Takes the conferences that a node's listener shall look at now, unless it has lost the node.
-- KEYS[1] looks
-- KEYS[2] lease
-- ARGV[1] epoch of the listener's lease; '' if it is no listener's
-- ARGV[2] now (s)
-- ARGV[3] how many at most
-- Returns {1, ConferenceSid…}, or {0} if another has the node by now.

-- include shared/follows

if not follows(KEYS[2], ARGV[1]) then return {0} end
local found = redis.call('ZRANGEBYSCORE', KEYS[1], 0, ARGV[2], 'LIMIT', 0, ARGV[3])
if #found > 0 then redis.call('ZREM', KEYS[1], unpack(found)) end
return {1, unpack(found)}
