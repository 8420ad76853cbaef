-- Returns the length of the row KEYS[1], its expiry, and the time.
local expiry = redis.call('PEXPIRETIME', KEYS[1])
return {redis.call('STRLEN', KEYS[1]), expiry == -1 and NEVER or expiry, now}
