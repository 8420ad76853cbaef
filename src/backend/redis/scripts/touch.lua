-- Gives the row that was seen the mark ARGV[4] and ARGV[5] milliseconds left.
local row, answer = seen_row()
if not row then
  return answer
end
write(KEYS[1], ARGV[4], expiry_after(ARGV[5]), string.sub(row, 35), row)
return {'done'}
