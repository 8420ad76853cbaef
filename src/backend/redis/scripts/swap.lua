-- Replaces the row that was seen. The new one has the mark ARGV[4], ARGV[5] milliseconds left, and
-- the rest ARGV[6]. A row that loses its owner stays on the owner's list until it has expired.
local row, answer = seen_row()
if not row then
  return answer
end
local expiry = expiry_after(ARGV[5])
local before, after = OWNERS ~= '' and owner_of(row), write(KEYS[1], ARGV[4], expiry, ARGV[6], row)
if before and not after then
  redis.call('ZADD', LISTS .. before .. '}', 'XX', listed_until(expiry), KEYS[1])
end
return {'done'}
