-- Returns 1 if the owner KEYS[1] lets the login ARGV[3] live. Unless ARGV[4] is empty, also lists the
-- key ARGV[4] in KEYS[2], with ARGV[5] milliseconds left. For clusters.
if ARGV[4] ~= '' then
  enlist(KEYS[2], ARGV[4], expiry_after(ARGV[5]))
end
return owner_lets_live(KEYS[1], ARGV[3]) and 1 or 0
