-- Has a lane wait until its head is due again; it keeps its order, and anybody may take it then. A lease that ran out:
-- as in finish_head.
-- KEYS[1] outbox
-- KEYS[2] lease
-- KEYS[3] retry
-- KEYS[4] callback without its token
-- ARGV[1] owner
-- ARGV[2] due ms
-- ARGV[3] token
-- ARGV[4] attempts (JSON: [[number, attempt]…])
-- ARGV[5] keep s
-- Returns 1, or 0 if the lane is somebody else's.

-- include shared/keep_attempts

local holder = redis.call('GET', KEYS[2])
if holder ~= ARGV[1] and (holder or redis.call('LINDEX', KEYS[1], 0) ~= ARGV[3]) then return 0 end
keep_attempts(KEYS[4] .. ARGV[3], ARGV[4])
redis.call('SET', KEYS[3], ARGV[2], 'EX', ARGV[5])
redis.call('DEL', KEYS[2])
return 1
