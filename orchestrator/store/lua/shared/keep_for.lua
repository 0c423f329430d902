-- Keeps a key for so many ms at least: several write into tallies, and none may shorten what another needs. (Redis 6.2
-- knows no PEXPIRE GT.)

local function keep_for(key, ms)
  if redis.call('PTTL', key) < tonumber(ms) then redis.call('PEXPIRE', key, ms) end
end
