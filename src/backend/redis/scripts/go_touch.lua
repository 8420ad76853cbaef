-- Gives the row that was seen ARGV[3] milliseconds left.
return changed() or {'done', write(KEYS[1], ARGV[2], ARGV[3])}
