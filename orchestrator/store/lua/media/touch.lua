-- Keeps a clip for longer. One that is not counted is none.
-- KEYS[1] clip
-- KEYS[2] when each ends
-- KEYS[3] owners
-- ARGV[1] what all media keys begin with
-- ARGV[2] the clip's key without that
-- ARGV[3] ends ms
-- Returns 1, or 0 if it is gone.

if redis.call('EXISTS', KEYS[1]) == 0 then return 0 end
local owner = redis.call('HGET', KEYS[3], ARGV[2])
if not owner then return 0 end
local ends = tonumber(ARGV[3])
if tonumber(redis.call('ZSCORE', KEYS[2], ARGV[2]) or 0) >= ends then return 1 end
redis.call('PEXPIREAT', KEYS[1], ARGV[3])
redis.call('ZADD', KEYS[2], ends, ARGV[2])
redis.call('ZADD', ARGV[1] .. 'account:' .. owner:match(' (.*)$'), ends, ARGV[2])
return 1
