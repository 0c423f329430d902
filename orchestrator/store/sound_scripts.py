"""The Lua of sounds: each script is one atomic step inside one slot."""

from __future__ import annotations

from typing import Final

ADD_ANNOUNCEMENT: Final = """
-- KEYS announcements, conference, announcements that are owed an end
-- ARGV announcement (JSON), most, seconds to keep, its id, what its end says (JSON)
-- Returns 0 if too many wait, -1 if the conference has ended. The version rises: the commit that ends the conference
-- tells the end of this one, too.
local status = redis.call('HGET', KEYS[2], 'status')
if not status or status == 'completed' then return -1 end
if redis.call('LLEN', KEYS[1]) >= tonumber(ARGV[2]) then return 0 end
redis.call('RPUSH', KEYS[1], ARGV[1])
redis.call('EXPIRE', KEYS[1], ARGV[3])
redis.call('HSET', KEYS[3], ARGV[4], ARGV[5])
redis.call('HINCRBY', KEYS[2], 'version', 1)
return 1
"""

TAKE: Final = """
-- KEYS sound, lease; ARGV owner, lease ms, play that has ended or '', seconds to keep.
-- Returns 1 if the lane is ours; else whoever has it will look once more.
if ARGV[3] ~= '' then
  -- The last few: two that end at once may come in any order.
  local ended = (redis.call('HGET', KEYS[1], 'ended') or '') .. ' ' .. ARGV[3]
  redis.call('HSET', KEYS[1], 'ended', string.sub(ended, -120))
end
if redis.call('SET', KEYS[2], ARGV[1], 'NX', 'PX', ARGV[2]) then
  redis.call('HDEL', KEYS[1], 'dirty')
  return 1
end
redis.call('HSET', KEYS[1], 'dirty', '1')
redis.call('EXPIRE', KEYS[1], ARGV[4])
return 0
"""

RELEASE: Final = """
-- KEYS sound, lease; ARGV owner, lease ms. Returns 0 if there is something new to look at: then the lane is kept.
if redis.call('GET', KEYS[2]) ~= ARGV[1] then return 1 end
if redis.call('HDEL', KEYS[1], 'dirty') == 1 then
  redis.call('PEXPIRE', KEYS[2], ARGV[2])
  return 0
end
redis.call('DEL', KEYS[2])
return 1
"""

RENEW: Final = """
-- KEYS lease; ARGV owner, lease ms. Returns 0 if it is somebody else's by now.
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
redis.call('PEXPIRE', KEYS[1], ARGV[2])
return 1
"""

SAVE: Final = """
-- KEYS sound, lease, announcements; ARGV owner, state (JSON) or '', announcements taken, seconds to keep.
-- Returns -1 if the lane is somebody else's by now: then nothing is written; else how many announcements wait.
if redis.call('GET', KEYS[2]) ~= ARGV[1] then return -1 end
for _ = 1, tonumber(ARGV[3]) do redis.call('LPOP', KEYS[3]) end
if ARGV[2] == '' then
  redis.call('HDEL', KEYS[1], 'state', 'ended')
else
  redis.call('HSET', KEYS[1], 'state', ARGV[2])
  redis.call('EXPIRE', KEYS[1], ARGV[4])
end
return redis.call('LLEN', KEYS[3])
"""
