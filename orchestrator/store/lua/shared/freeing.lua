-- Makes this script's first write one that could not need memory, on KEYS[1]. Redis refuses a script's first write
-- over `maxmemory`, and no later one: it cannot stop in the middle (script.c, scriptVerifyOOM).

redis.call('DEL', KEYS[1] .. ':none')
