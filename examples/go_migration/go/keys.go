package main

import (
	"encoding/hex"
	"errors"
	"os"
	"strings"
)

func readKeyFile(path string) (string, error) {
	spec, err := os.ReadFile(path)
	return string(spec), err
}

// parseKeys reads the pairs of a key file: a hash key and a block key in hex on each line, the
// newest pair first. It returns the keys as gorilla's constructors take them.
func parseKeys(spec string) ([][]byte, error) {
	var keyPairs [][]byte
	for _, line := range strings.Split(spec, "\n") {
		line = strings.TrimSpace(line)
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		hash, block, _ := strings.Cut(line, ":")
		for _, digits := range []string{hash, block} {
			key, err := hex.DecodeString(digits)
			if err != nil {
				return nil, errors.New("a key is not in hex") // hex's error quotes the key
			}
			keyPairs = append(keyPairs, key)
		}
	}
	if len(keyPairs) == 0 {
		return nil, errors.New("the file has no keys")
	}
	return keyPairs, nil
}
