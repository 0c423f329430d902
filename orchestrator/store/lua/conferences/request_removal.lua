-- Notes that a client removes a participant, so that the leave can say so.
-- KEYS[1] conference
-- KEYS[2] labels
-- KEYS[3] participant without its CallSid
-- ARGV[1] AccountSid
-- ARGV[2] CallSid or label
-- ARGV[3] 'call' or 'label': which of them it is
-- ARGV[4] RequestId, or ''
-- Returns {'ok', {participant: field, value…}}, or {'missing'}.

-- include shared/freeing
-- include shared/find_participant

redis.call('HSET', participant, 'removal_requested', '1', 'removal_request', ARGV[4])
redis.call('HINCRBY', KEYS[1], 'version', 1)
return {'ok', redis.call('HGETALL', participant)}
