-- Returns the listed keys of KEYS[1] whose records have not expired.
return redis.call('ZRANGEBYSCORE', KEYS[1], '(' .. string.format('%d', now), '+inf')
