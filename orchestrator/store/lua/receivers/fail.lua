-- Notes that a receiver has failed, and has it left alone if it did for long. Requests that were under way when its
-- pause began say nothing new.
-- KEYS[1] the account's receivers
-- ARGV[1] host
-- ARGV[2] now ms
-- ARGV[3] when the attempt began (ms)
-- ARGV[4] failures that make a pause
-- ARGV[5] ms that make a pause
-- ARGV[6] first pause ms
-- ARGV[7] longest pause ms
-- ARGV[8] keep s
-- Returns the receiver (JSON).

local text = redis.call('HGET', KEYS[1], ARGV[1])
local now = tonumber(ARGV[2])
local row = text and cjson.decode(text)
  or {host = ARGV[1], failures = 0, failing_since_ms = now, paused_until_ms = 0, paused_at_ms = 0, pauses = 0}
if row.pauses > 0 and tonumber(ARGV[3]) < (row.paused_at_ms or 0) then return text end
row.failures = row.failures + 1
local for_long = row.failures >= tonumber(ARGV[4]) and now - row.failing_since_ms >= tonumber(ARGV[5])
if for_long or row.pauses > 0 then
  row.paused_until_ms = now + math.min(tonumber(ARGV[6]) * 2 ^ math.min(row.pauses, 10), tonumber(ARGV[7]))
  row.paused_at_ms = now
  row.pauses = row.pauses + 1
end
text = cjson.encode(row)
redis.call('HSET', KEYS[1], ARGV[1], text)
redis.call('EXPIRE', KEYS[1], ARGV[8])
return text
