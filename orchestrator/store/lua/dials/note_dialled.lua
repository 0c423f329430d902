-- Notes when a participant was dialled.
-- KEYS[1] participant
-- ARGV[1] moment (ISO 8601)
-- Returns nothing.

if redis.call('HGET', KEYS[1], 'dialled_at') == '' then redis.call('HSET', KEYS[1], 'dialled_at', ARGV[1]) end
