-- Writes a new participant, and with it the conference if there is none and one is given.
-- KEYS[1] conference
-- KEYS[2] participant
-- KEYS[3] live participants
-- KEYS[4] labels
-- KEYS[5] participant without its CallSid
-- ARGV[1] AccountSid
-- ARGV[2] CallSid
-- ARGV[3] created ms
-- ARGV[4] label, or ''
-- ARGV[5] most participants
-- ARGV[6] coached CallSid, or ''
-- ARGV[7] participant (JSON: [field, value…])
-- ARGV[8] conference (JSON, likewise), or '' if it has to exist
-- Returns {'ok', {conference: field, value…}}, or {why not}: missing, ended, full, label, coach, held.

local conference = KEYS[1]
local account = redis.call('HGET', conference, 'account_sid')
if account and account ~= ARGV[1] then return {'missing'} end
if not account and ARGV[8] == '' then return {'missing'} end
-- The client repeats a command whose answer was lost with the connection: then it is written already.
if account and redis.call('EXISTS', KEYS[2]) == 1 then return {'ok', redis.call('HGETALL', conference)} end
if account then
  local state = redis.call('HMGET', conference, 'status', 'end_reason', 'live_count')
  if state[1] == 'completed' or state[2] ~= '' then return {'ended'} end
  if tonumber(state[3]) >= tonumber(ARGV[5]) then return {'full'} end
end
local holder = ARGV[4] ~= '' and redis.call('HGET', KEYS[4], ARGV[4])
-- One that is being removed (also a create that was told to have failed) gives its label up.
if holder and redis.call('HGET', KEYS[5] .. holder, 'removal_requested') ~= '1' then return {'label'} end
if ARGV[6] ~= '' then
  if not redis.call('ZSCORE', KEYS[3], ARGV[6]) then return {'coach'} end
  local held = redis.call('HMGET', KEYS[5] .. ARGV[6], 'hold', 'hold_wanted')
  if held[2] == '1' or (held[2] == '' and held[1] == '1') then return {'held'} end
end
if not account then redis.call('HSET', conference, unpack(cjson.decode(ARGV[8]))) end
redis.call('HINCRBY', conference, 'live_count', 1)
redis.call('HINCRBY', conference, 'version', 1)
redis.call('HSET', KEYS[2], unpack(cjson.decode(ARGV[7])))
redis.call('HSET', KEYS[2], 'node', redis.call('HGET', conference, 'node'))
redis.call('ZADD', KEYS[3], ARGV[3], ARGV[2])
if ARGV[4] ~= '' then redis.call('HSET', KEYS[4], ARGV[4], ARGV[2]) end
return {'ok', redis.call('HGETALL', conference)}
