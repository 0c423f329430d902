-- Drops a value.
-- KEYS[1] when each ends
-- KEYS[2] owners
-- KEYS[3] bytes
-- KEYS[4] how many were dropped
-- ARGV[1] what all media keys begin with
-- ARGV[2] the value's key without that
-- Returns nothing.

-- include shared/drop_media

drop(ARGV[2])
