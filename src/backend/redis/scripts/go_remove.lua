-- Removes the row that was seen.
local answer = changed()
if not answer then
  redis.call('DEL', KEYS[1])
end
return answer or {'done', 0}
