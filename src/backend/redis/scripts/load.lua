-- Returns the live row KEYS[1] and the time. Returns other data than a record as it is.
local row = redis.call('GET', KEYS[1])
if not row or is_record(row) and not is_live(row) then
  return false
end
return {row, now}
