package main

import (
	"bytes"
	"encoding/gob"
	"encoding/json"
	"fmt"
	"os"
	"sort"
	"time"

	"github.com/gorilla/securecookie"
)

// The duration of a batch, and the number of batches; the median batch counts.
const (
	batches   = 21
	batchTime = 10 * time.Millisecond
)

// bench prints the times of gorilla and gob for the operations of benches/codec.
func bench() {
	benchGob()
	hashKey := make([]byte, 64)
	for _, size := range []int{32, 256, 2048} {
		payload := make([]byte, size)
		for i := range payload {
			payload[i] = byte(i)
		}
		for mode, blockKey := range map[string][]byte{"sign": nil, "encrypt": make([]byte, 32)} {
			codec := securecookie.New(hashKey, blockKey).SetSerializer(securecookie.NopEncoder{})
			cookie, err := codec.Encode("sid", payload)
			check(err)
			report(fmt.Sprintf("seal %s %d", mode, size), func() {
				value := payload
				if blockKey != nil { // gorilla encrypts in the caller's buffer
					value = append([]byte(nil), payload...)
				}
				_, err := codec.Encode("sid", value)
				check(err)
			})
			report(fmt.Sprintf("open %s %d", mode, size), func() {
				var opened []byte
				check(codec.Decode("sid", cookie, &opened))
			})
		}
	}
}

func report(name string, operation func()) {
	iterations := 1
	for elapsed(operation, iterations) < batchTime {
		iterations *= 2
	}
	times := make([]float64, batches)
	for i := range times {
		times[i] = float64(elapsed(operation, iterations).Nanoseconds()) / float64(iterations)
	}
	sort.Float64s(times)
	line, err := json.Marshal(map[string]any{"name": name, "nanoseconds": times[batches/2]})
	check(err)
	fmt.Println(string(line))
}

func elapsed(operation func(), iterations int) time.Duration {
	start := time.Now()
	for i := 0; i < iterations; i++ {
		operation()
	}
	return time.Since(start)
}

func check(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, "interop:", err)
		os.Exit(1)
	}
}

// benchGob prints Go's times for a session of five keys: encode and decode, with a new encoder each
// time, as in securecookie.
func benchGob() {
	session := map[interface{}]interface{}{
		"user": "silverback", "id": int64(1) << 40, "admin": false, "visits": 1000, "ratio": 0.5,
	}
	encode := func() []byte {
		var out bytes.Buffer
		check(gob.NewEncoder(&out).Encode(session))
		return out.Bytes()
	}
	encoded := encode()
	report("encode gob, 5 keys", func() { encode() })
	report("decode gob, 5 keys", func() {
		decoded := map[interface{}]interface{}{}
		check(gob.NewDecoder(bytes.NewReader(encoded)).Decode(&decoded))
	})
}
