-- Creates the row KEYS[1] with the mark ARGV[3], ARGV[4] milliseconds left, and the rest ARGV[5]. A
-- row with the mark ARGV[6] counts as missing: the client knows that its login was revoked.
local row = redis.call('GET', KEYS[1])
if row then
  if not is_record(row) then
    return {'corrupt'}
  end
  if mark_of(row) ~= ARGV[6] and is_live(row) then
    return {'exists', head_of(row)}
  end
end
write(KEYS[1], ARGV[3], expiry_after(ARGV[4]), ARGV[5])
return {'done'}
