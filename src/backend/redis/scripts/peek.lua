-- Returns the head of the row KEYS[1], the length of the row, and the time.
local head = redis.call('GETRANGE', KEYS[1], 0, 1610)
return {head, redis.call('STRLEN', KEYS[1]), now}
