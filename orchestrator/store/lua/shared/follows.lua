-- Tells whether a listener's epoch is that of its node's lease: the node is no other's. '': whoever asks needs none.

local function follows(lease, epoch)
  return epoch == '' or redis.call('HGET', lease, 'epoch') == epoch
end
