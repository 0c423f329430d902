-- Notes that a client wants a participant muted, or not. Nothing is written if the switch has said so already and no
-- other request is open. Before somebody is a member only the listener can tell the switch, when it hears that they
-- are: then the version rises, for it has to see this.
-- KEYS[1] conference
-- KEYS[2] labels
-- KEYS[3] participant without its CallSid
-- ARGV[1] AccountSid
-- ARGV[2] CallSid or label
-- ARGV[3] 'call' or 'label': which of them it is
-- ARGV[4] '1' or '0'
-- ARGV[5] RequestId, or ''
-- Returns {'ok', {participant: field, value…}, what was wanted before}, or {'missing'}.

-- include shared/freeing
-- include shared/find_participant

local known = redis.call('HMGET', participant, 'muted', 'muted_wanted', 'member_id')
if known[1] ~= ARGV[4] or known[2] ~= '' then
  local asking = ARGV[4] == '1' and 'mute_request' or 'unmute_request'
  redis.call('HSET', participant, 'muted_wanted', ARGV[4], asking, ARGV[5])
  if (known[3] or '') == '' then redis.call('HINCRBY', KEYS[1], 'version', 1) end
end
return {'ok', redis.call('HGETALL', participant), known[2]}
