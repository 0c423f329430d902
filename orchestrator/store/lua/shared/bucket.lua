-- Takes up to `wanted` tokens of a bucket that `period` ms fill with `most` (GCRA: what is kept is the moment at which
-- it is full again). Returns how many, and after how many ms there is one if there was none.

local function take(key, field, most, period, wanted, now)
  if most <= 0 then return 0, period end
  local each = period / most
  local full_at = math.max(tonumber(redis.call('HGET', key, field) or '0'), now)
  local left = math.floor((period - (full_at - now)) / each + 0.000001)
  if left < 1 then return 0, math.ceil(each - (period - (full_at - now))) end
  local taken = math.min(left, wanted)
  redis.call('HSET', key, field, string.format('%.3f', full_at + taken * each))
  return taken, 0
end
