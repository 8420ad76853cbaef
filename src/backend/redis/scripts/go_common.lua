-- What the scripts on rows of Go packages share. Such a row is a string with a time to live.

local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)

-- The time to live of a row that never expires, and its expiry.
local NEVER = 999999999999999

-- Returns the row, and its expiry in milliseconds since 1970-01-01T00:00:00Z, or nil.
local function row_of(key)
  local row = redis.call('GET', key)
  if not row then
    return nil
  end
  local expiry = redis.call('PEXPIRETIME', key)
  return row, expiry < 0 and NEVER or expiry
end

-- Writes a row with this many milliseconds left, and returns its expiry. A row that has expired
-- already is removed instead.
local function write(key, row, left)
  left = tonumber(left)
  if left >= NEVER then
    redis.call('SET', key, row)
    return NEVER
  elseif left > 0 then
    redis.call('SET', key, row, 'PX', left)
    return redis.call('PEXPIRETIME', key)
  end
  redis.call('DEL', key)
  return now + left
end

-- Returns the answer to a write to KEYS[1] that was seen with the expiry ARGV[1] and the value
-- ARGV[2], or nil if it is unchanged.
local function changed()
  local row, expiry = row_of(KEYS[1])
  if not row then
    return {'gone'}
  end
  if row ~= ARGV[2] or string.format('%d', expiry) ~= ARGV[1] then
    return {'conflict'}
  end
end
