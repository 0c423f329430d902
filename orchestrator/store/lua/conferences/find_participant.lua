-- Reads a participant who has not left.
-- KEYS[1] conference
-- KEYS[2] labels
-- KEYS[3] participant without its CallSid
-- ARGV[1] AccountSid
-- ARGV[2] CallSid or label
-- ARGV[3] 'call' or 'label': which of them it is
-- Returns {'ok', {participant: field, value…}}, or {'missing'}.

-- include shared/find_participant

return {'ok', redis.call('HGETALL', participant)}
