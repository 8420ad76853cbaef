//go:build go1.26

// The URLs of Go 1.26: a host of http and https has one colon at most.
//go:debug urlstrictcolons=1

// Command cross_origin decides with Go's own http.CrossOriginProtection. It reads a question from
// each line, and writes an answer in a line, both in JSON.
package main

import (
	"bufio"
	"bytes"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"strings"
)

// A question is a configuration, and the requests to decide on.
type question struct {
	Origins  []string `json:"origins"`
	Patterns []string `json:"patterns"`
	Requests []string `json:"requests"` // the bytes of HTTP/1.1, in hex
}

// An answer says which origins and patterns were accepted, and what was decided.
type answer struct {
	Origins   []bool   `json:"origins"`
	Patterns  []bool   `json:"patterns"`
	Decisions []string `json:"decisions"`
}

func main() {
	in := bufio.NewScanner(os.Stdin)
	in.Buffer(nil, 1<<24)
	for in.Scan() {
		var asked question
		if err := json.Unmarshal(in.Bytes(), &asked); err != nil {
			fmt.Fprintln(os.Stderr, "cross_origin: no question:", err)
			os.Exit(2)
		}
		given, err := json.Marshal(decide(asked))
		if err != nil {
			fmt.Fprintln(os.Stderr, "cross_origin:", err)
			os.Exit(2)
		}
		os.Stdout.Write(append(given, '\n'))
	}
}

func decide(asked question) (given answer) {
	protection := http.NewCrossOriginProtection()
	for _, origin := range asked.Origins {
		given.Origins = append(given.Origins, protection.AddTrustedOrigin(origin) == nil)
	}
	for _, pattern := range asked.Patterns {
		given.Patterns = append(given.Patterns, isAdded(protection, pattern))
	}
	for _, request := range asked.Requests {
		given.Decisions = append(given.Decisions, decision(protection, request))
	}
	return given
}

// isAdded adds a pattern, and reports whether Go accepted it. Go panics for one that it refuses.
func isAdded(protection *http.CrossOriginProtection, pattern string) (added bool) {
	defer func() {
		if recover() != nil {
			added = false
		}
	}()
	protection.AddInsecureBypassPattern(pattern)
	return true
}

// decision returns "passes", the reason for a refusal, or "unreadable" for a request that a server
// answers with a 400.
func decision(protection *http.CrossOriginProtection, request string) string {
	head, err := hex.DecodeString(request)
	if err != nil {
		return "no hex"
	}
	// The function with which the server reads requests.
	read, err := http.ReadRequest(bufio.NewReader(bytes.NewReader(head)))
	if err != nil {
		return "unreadable"
	}
	err = protection.Check(read)
	switch {
	case err == nil:
		return "passes"
	case strings.Contains(err.Error(), "does not match Host"):
		return "Origin"
	default:
		return "Sec-Fetch-Site"
	}
}
