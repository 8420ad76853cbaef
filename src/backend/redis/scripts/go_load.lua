-- Returns the row KEYS[1], its expiry, and the time.
local row, expiry = row_of(KEYS[1])
return row and {row, expiry, now}
