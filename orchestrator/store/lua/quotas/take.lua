-- Takes tokens of a rate.
-- KEYS[1] tallies
-- ARGV[1] field
-- ARGV[2] most
-- ARGV[3] period ms
-- ARGV[4] wanted
-- ARGV[5] keep ms
-- Returns {how many, ms until there is one}.

-- include shared/now_ms
-- include shared/keep_for
-- include shared/bucket

local taken, wait = take(KEYS[1], ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4]), now_ms())
keep_for(KEYS[1], ARGV[5])
return {taken, wait}
