-- Keeps attempts (JSON: [[number, attempt]…]) with their callback: the first ten and the last twenty, for an outage of
-- a day would fill megabytes.

local function keep_attempts(key, attempts)
  for _, row in ipairs(cjson.decode(attempts)) do
    local number = tonumber(row[1])
    redis.call('HSET', key, 'attempts', row[1], 'attempt:' .. row[1], row[2])
    if number > 30 then redis.call('HDEL', key, 'attempt:' .. (number - 20)) end
  end
end
