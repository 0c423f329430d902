-- Notes that a client wants a participant on hold, or not, and what is to be heard. The version rises always: who hears
-- the conference is decided by whoever applies the next event.
-- KEYS[1] conference
-- KEYS[2] labels
-- KEYS[3] participant without its CallSid
-- ARGV[1] AccountSid
-- ARGV[2] CallSid or label
-- ARGV[3] 'call' or 'label': which of them it is
-- ARGV[4] '1' or '0'
-- ARGV[5] RequestId, or ''
-- ARGV[6…] hold_url, its value, and so on
-- Returns {'ok', {participant: field, value…}, what was wanted before}, or {'missing'}.

-- include shared/freeing
-- include shared/find_participant

local known = redis.call('HMGET', participant, 'hold', 'hold_wanted')
local wanted = known[2] or ''
local was = wanted ~= '' and wanted or known[1]
if was == '0' and ARGV[4] == '1' then redis.call('HINCRBY', participant, 'hold_number', 1) end
if known[1] ~= ARGV[4] or wanted ~= '' then
  local asking = ARGV[4] == '1' and 'hold_request' or 'unhold_request'
  redis.call('HSET', participant, 'hold_wanted', ARGV[4], asking, ARGV[5])
end
if #ARGV > 5 then redis.call('HSET', participant, unpack(ARGV, 6)) end
redis.call('HINCRBY', KEYS[1], 'version', 1)
return {'ok', redis.call('HGETALL', participant), wanted}
