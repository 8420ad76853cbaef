-- Moves the row that was seen to KEYS[2], with the value ARGV[3] and ARGV[4] milliseconds left.
local answer = changed()
if answer then
  return answer
end
if redis.call('EXISTS', KEYS[2]) == 1 then
  return {'exists'}
end
local expiry = write(KEYS[2], ARGV[3], ARGV[4])
redis.call('DEL', KEYS[1])
return {'done', expiry}
