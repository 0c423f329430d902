-- Finds a participant who has not left: `participant` is its key from here on, or the script has returned {'missing'}.
-- KEYS[1] conference, KEYS[2] labels, KEYS[3] participant without its CallSid
-- ARGV[1] AccountSid, ARGV[2] CallSid or label, ARGV[3] 'call' or 'label': which of them it is

if redis.call('HGET', KEYS[1], 'account_sid') ~= ARGV[1] then return {'missing'} end
local call_sid = ARGV[2]
if ARGV[3] == 'label' then call_sid = redis.call('HGET', KEYS[2], ARGV[2]) end
if not call_sid then return {'missing'} end
local participant = KEYS[3] .. call_sid
local status = redis.call('HGET', participant, 'status')
if not status or status == 'complete' or status == 'failed' then return {'missing'} end
