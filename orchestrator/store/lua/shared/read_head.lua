-- Reads the token at a lane's head and what is known of it; passes over tokens whose callback has expired.

local function read_head(outbox, callback)
  while true do
    local token = redis.call('LINDEX', outbox, 0)
    if not token then return nil end
    local found = redis.call('HMGET', callback .. token, 'entry', 'attempts', 'since_ms')
    if found[1] then return token, found end
    redis.call('LPOP', outbox)
  end
end
