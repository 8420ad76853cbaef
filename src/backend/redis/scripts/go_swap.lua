-- Replaces the row that was seen. The new one has the value ARGV[3] and ARGV[4] milliseconds left.
return changed() or {'done', write(KEYS[1], ARGV[3], ARGV[4])}
