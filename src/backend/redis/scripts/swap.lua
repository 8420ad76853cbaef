-- Replaces the row that was seen. The new one has the mark ARGV[4], ARGV[5] milliseconds left, and
-- the rest ARGV[6].
local row, answer = seen_row()
if not row then
  return answer
end
write(KEYS[1], ARGV[4], expiry_after(ARGV[5]), ARGV[6])
return {'done'}
