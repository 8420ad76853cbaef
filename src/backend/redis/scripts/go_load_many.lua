-- Returns the rows KEYS in their order with their expiries, or nothing for those that are missing, and
-- the time.
local rows = {}
for place, key in ipairs(KEYS) do
  local row, expiry = row_of(key)
  rows[place] = row and {row, expiry} or false
end
return {rows, now}
