-- Gives a call its slot: at once, or in the account's queue, in which each is dialled so long after the one before it.
-- KEYS[1] waiting
-- KEYS[2] queued calls, sealed
-- KEYS[3] tallies
-- ARGV[1] 'ConferenceSid.CallSid'
-- ARGV[2] sealed
-- ARGV[3] calls a second
-- ARGV[4] keep ms
-- ARGV[5] ms that nobody waits for
-- Returns {the ms until its slot, the slot}; 0: now, and nothing is kept of it.

-- include shared/now_ms
-- include shared/keep_for

local now = now_ms()
local known = redis.call('ZSCORE', KEYS[1], ARGV[1])
if known then return {math.max(1, math.ceil(known - now)), known} end
local apart = 1000 / tonumber(ARGV[3])
local waiting = redis.call('ZCARD', KEYS[1])
local free = redis.call('HMGET', KEYS[3], 'dials_free_at', 'dials_not_before')
local slot = math.max(tonumber(free[1] or '0'), tonumber(free[2] or '0'))
local waits = waiting > 0 or slot > now + tonumber(ARGV[5])
-- Those that wait may be late, should nobody have dialled for a while: then they are dialled before this one.
slot = math.max(slot, now + waiting * apart)
redis.call('HSET', KEYS[3], 'dials_free_at', string.format('%.3f', slot + apart))
keep_for(KEYS[3], ARGV[4])
local at = string.format('%.3f', slot)
if not waits then return {0, at} end
redis.call('ZADD', KEYS[1], at, ARGV[1])
redis.call('HSET', KEYS[2], ARGV[1], ARGV[2])
return {math.max(1, math.ceil(slot - now)), at}
