-- Tells whether a listener's epoch (its lease of the node; '' of whoever needs none) is older than the one that a
-- conference was last written with: then another follows the node by now.

local function is_fenced(known, epoch)
  return epoch ~= '' and tonumber(known or '') ~= nil and tonumber(known) > tonumber(epoch)
end
