-- Writes a new recording, unless it is there.
-- KEYS[1] recording
-- ARGV[1] fields (JSON): [f, v…]
-- Returns 1, or 0 if it is there.

if redis.call('EXISTS', KEYS[1]) == 1 then return 0 end
redis.call('HSET', KEYS[1], 'version', '0', unpack(cjson.decode(ARGV[1])))
return 1
