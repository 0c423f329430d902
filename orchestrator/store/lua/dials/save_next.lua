-- Notes when an account's next call may be dialled.
-- KEYS[1] tallies
-- ARGV[1] moment ms
-- ARGV[2] keep ms
-- Returns nothing.

-- include shared/keep_for

redis.call('HSET', KEYS[1], 'dials_not_before', ARGV[1])
keep_for(KEYS[1], ARGV[2])
