-- Tells the moment by Redis' clock, in ms.

local function now_ms()
  local moment = redis.call('TIME')
  return moment[1] * 1000 + math.floor(moment[2] / 1000)
end
