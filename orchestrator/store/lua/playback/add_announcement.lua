-- Has an announcement wait. The conference's version rises: the commit that ends it tells the end of this one, too.
-- KEYS[1] announcements
-- KEYS[2] conference
-- KEYS[3] announcements that are owed an end
-- ARGV[1] announcement (JSON)
-- ARGV[2] most that may wait
-- ARGV[3] keep s
-- ARGV[4] its id
-- ARGV[5] what its end says (JSON)
-- Returns 1; 0 if too many wait, -1 if the conference has ended.

local status = redis.call('HGET', KEYS[2], 'status')
if not status or status == 'completed' then return -1 end
if redis.call('LLEN', KEYS[1]) >= tonumber(ARGV[2]) then return 0 end
redis.call('RPUSH', KEYS[1], ARGV[1])
redis.call('EXPIRE', KEYS[1], ARGV[3])
redis.call('HSET', KEYS[3], ARGV[4], ARGV[5])
redis.call('HINCRBY', KEYS[2], 'version', 1)
return 1
