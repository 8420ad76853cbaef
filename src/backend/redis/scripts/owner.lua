-- Reads or changes the owner KEYS[1]. ARGV[3] is `read`, `extend`, `begin` or `revoke`, ARGV[4] the
-- milliseconds that the owner is kept at least, ARGV[5] a random generation, and ARGV[6] the login
-- that a revocation keeps. Returns the generation, the number of logins, the kept login, the expiry
-- and the time, or nil if there is nothing to read.
local found = redis.call('HMGET', KEYS[1], 'expiry', 'generation', 'logins', 'kept')
local expiry, generation, logins, kept = tonumber(found[1] or 0), found[2], found[3], found[4]
local change = ARGV[3]
if change == 'read' then
  return expiry > now and {generation, logins, kept, found[1], now}
end
if expiry <= now then
  expiry, generation, logins, kept = 0, ARGV[5], '0', ''
  redis.call('DEL', KEYS[1])
end
expiry = math.max(expiry, expiry_after(ARGV[4]))
if change == 'begin' then
  logins = string.format('%d', logins + 1)
elseif change == 'revoke' then
  local keep = ARGV[6]
  if string.sub(keep, 1, 16) ~= generation and keep ~= kept then
    keep = ''
  end
  generation, kept = ARGV[5], keep
end
expiry = string.format('%d', expiry)
redis.call('HSET', KEYS[1], 'expiry', expiry, 'generation', generation, 'logins', logins, 'kept', kept)
if tonumber(expiry) >= NEVER then
  redis.call('PERSIST', KEYS[1])
else
  redis.call('PEXPIREAT', KEYS[1], expiry)
end
return {generation, logins, kept, expiry, now}
