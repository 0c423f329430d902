-- Writes what is known of a node, unless the listener that says so has lost it.
-- KEYS[1] node
-- KEYS[2] lease
-- ARGV[1] epoch of the listener's lease; '' if it is no listener's
-- ARGV[2] keep s
-- ARGV[3…] field, value…
-- Returns 1, or 0 if another has the node by now.

-- include shared/follows

if not follows(KEYS[2], ARGV[1]) then return 0 end
redis.call('HSET', KEYS[1], unpack(ARGV, 3))
redis.call('EXPIRE', KEYS[1], ARGV[2])
return 1
