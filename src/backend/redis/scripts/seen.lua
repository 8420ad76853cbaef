-- For writes to the row KEYS[1] that was seen with the mark ARGV[3].

-- Returns the row, or nil and the answer if it is not there.
local function seen_row()
  local row = redis.call('GET', KEYS[1])
  if not row then
    return nil, {'gone'}
  end
  if not is_record(row) then
    return nil, {'corrupt'}
  end
  if not is_live(row) then
    return nil, {'gone'}
  end
  if mark_of(row) ~= ARGV[3] then
    return nil, {'conflict', head_of(row)}
  end
  return row
end
