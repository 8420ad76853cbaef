-- Returns the live rows KEYS in their order, or nothing for those that are missing, and the time.
-- Returns other data than a record as it is, and nothing of other types.
local rows = {}
for place, key in ipairs(KEYS) do
  local row = redis.pcall('GET', key)
  if type(row) == 'table' then
    row = ''
  elseif row and is_record(row) and not is_live(row) then
    row = false
  end
  rows[place] = row
end
return {rows, now}
