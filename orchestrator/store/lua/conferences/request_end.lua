-- Notes that a client ends the conference; from now on nobody can be added.
-- KEYS[1] conference
-- ARGV[1] AccountSid
-- ARGV[2] end reason
-- ARGV[3] the client's request
-- Returns {'ok', {conference: field, value…}}, or {'missing'}.

-- include shared/freeing

if redis.call('HGET', KEYS[1], 'account_sid') ~= ARGV[1] then return {'missing'} end
local state = redis.call('HMGET', KEYS[1], 'status', 'end_reason')
if state[1] ~= 'completed' and state[2] == '' then
  redis.call('HSET', KEYS[1], 'end_reason', ARGV[2], 'end_request', ARGV[3])
  redis.call('HINCRBY', KEYS[1], 'version', 1)
end
return {'ok', redis.call('HGETALL', KEYS[1])}
