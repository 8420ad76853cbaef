-- What all scripts share. The text of a script is this file, and then its own.
--
-- A row is one string: `sb1`, the mark (16 bytes), the expiry in milliseconds since
-- 1970-01-01T00:00:00Z (15 digits), the length of the owner's ID (4 digits), the login (16 bytes and
-- 20 digits) and the owner's ID if the length is not zero, and the value.

local NEVER = 999999999999999

-- In a cluster, ARGV[1] is empty: an owner is on another node than a record, and the client checks
-- the owner. Otherwise it is the beginning of the keys of owners, and ARGV[2] that of their lists.
local OWNERS, LISTS = ARGV[1], ARGV[2]

local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)

-- Returns the expiry of something with this many milliseconds left.
local function expiry_after(left)
  return math.max(0, math.min(now + left, NEVER))
end

local function is_record(row)
  return string.sub(row, 1, 3) == 'sb1' and #row >= 38
end

local function mark_of(row)
  return string.sub(row, 4, 19)
end

local function expiry_of(row)
  return tonumber(string.sub(row, 20, 34))
end

-- Returns the ID of the owner, or nil.
local function owner_of(row)
  local length = tonumber(string.sub(row, 35, 38))
  return length > 0 and string.sub(row, 75, 74 + length) or nil
end

local function login_of(row)
  return string.sub(row, 39, 74)
end

-- Returns the row without its value.
local function head_of(row)
  local length = tonumber(string.sub(row, 35, 38))
  return string.sub(row, 1, length > 0 and 74 + length or 38)
end

local function owner_lets_live(owner, login)
  local found = redis.call('HMGET', owner, 'expiry', 'generation', 'kept')
  if not found[1] or tonumber(found[1]) <= now then
    return false
  end
  return found[2] == string.sub(login, 1, 16) or found[3] == login
end

local function is_live(row)
  if expiry_of(row) <= now then
    return false
  end
  local owner = OWNERS ~= '' and owner_of(row)
  return not owner or owner_lets_live(OWNERS .. owner .. '}', login_of(row))
end

-- Returns the time until which a record is listed: a minute or two after its expiry. So most saves
-- of a session change nothing in the list.
local function listed_until(expiry)
  return expiry >= NEVER and NEVER or (math.floor(expiry / 60000) + 2) * 60000
end

-- Lists the record under `key`. The list expires with its last entry.
local function enlist(list, key, expiry)
  redis.call('ZREMRANGEBYSCORE', list, '-inf', now)
  redis.call('ZADD', list, listed_until(expiry), key)
  local last = redis.call('ZREVRANGE', list, 0, 0, 'WITHSCORES')[2]
  if tonumber(last) >= NEVER then
    redis.call('PERSIST', list)
  else
    redis.call('PEXPIREAT', list, last)
  end
end

-- Returns whether a row has this owner and is listed for an expiry as it should be.
local function is_listed(row, owner, expiry)
  return row and owner_of(row) == owner and listed_until(expiry_of(row)) == listed_until(expiry)
end

-- Writes a row, and lists it if it has an owner, which is returned. A row that has expired already is
-- removed instead. `before` is the row that it replaces, if there is one.
local function write(key, mark, expiry, rest, before)
  local row = 'sb1' .. mark .. string.format('%015d', expiry) .. rest
  if expiry >= NEVER then
    redis.call('SET', key, row)
  elseif expiry > now then
    redis.call('SET', key, row, 'PX', expiry - now)
  else
    redis.call('DEL', key)
    return
  end
  local owner = OWNERS ~= '' and owner_of(row)
  if owner and not is_listed(before, owner, expiry) then
    enlist(LISTS .. owner .. '}', key, expiry)
  end
  return owner
end
