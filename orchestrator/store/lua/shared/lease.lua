-- Tells whether a lease is its owner's. Whoever comes while a lane is leased leaves AGAIN behind its owner's name: the
-- owner looks once more before it gives the lane back.

local AGAIN = ' again'
local function is_ours(holder, owner) return holder == owner or holder == owner .. AGAIN end
