-- Creates the row KEYS[1] with the value ARGV[1] and ARGV[2] milliseconds left.
if redis.call('EXISTS', KEYS[1]) == 1 then
  return {'exists'}
end
return {'done', write(KEYS[1], ARGV[1], ARGV[2])}
