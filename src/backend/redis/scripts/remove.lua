-- Removes the row that was seen.
local row, answer = seen_row()
if not row then
  return answer
end
redis.call('DEL', KEYS[1])
local owner = OWNERS ~= '' and owner_of(row)
if owner then
  redis.call('ZREM', LISTS .. owner .. '}', KEYS[1])
end
return {'done'}
