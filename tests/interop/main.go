// Command interop is the Go side of Silverback's tests. It contains the original
// gorilla/securecookie, gorilla/sessions, antonlindstrom/pgstore, savaki/dynastore,
// wader/gormstore, and alexedwards/scs with its postgresstore, sqlite3store and gormstore, a port of
// dolab/session, and uses standard input and output.
//
//	interop        one JSON request a line in, one JSON answer a line out
//	interop stock  the same, with only the types that the packages register
//	interop bench  gorilla's time per operation, one JSON object a line out
//	interop serve DATABASE
//	               pages with scs sessions in that database, for benches/peers
//	interop allocations DATABASE
//	               the allocations of those pages
package main

import (
	"bufio"
	"bytes"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/gob"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"hash"
	"os"
	"strings"

	"github.com/alexedwards/scs/v2"
	"github.com/antonlindstrom/pgstore"
	"github.com/gorilla/securecookie"
	"github.com/gorilla/sessions"
)

// A request is a question: a value to make, seal, open or compare now.
type request struct {
	Op         string `json:"op"` // one of the cases of serve
	HashKey    string `json:"hash_key"`
	BlockKey   string `json:"block_key"` // empty: sign only
	Hash       string `json:"hash"`
	Serializer string `json:"serializer"` // "raw", "json" or "gob" (strings)
	Name       string `json:"name"`
	Cookie     string `json:"cookie"`   // to open
	Payload    string `json:"payload"`  // to seal: the serializer's input in hex
	Kind       string `json:"kind"`     // of gob: "session" or "scs"
	Seed       int64  `json:"seed"`     // of the random session
	Before     string `json:"before"`   // to compare: the old gob in hex
	After      string `json:"after"`    // and the new gob
	Changed    string `json:"changed"`  // the key that may differ
	Folder     string `json:"folder"`   // of a FilesystemStore; empty: a CookieStore
	Change     change `json:"change"`   // of a session of strings
	Database   string `json:"database"` // URL: of a PGStore, or of scs
	Sqlite     string `json:"sqlite"`   // file: of scs, or of wader/gormstore
	Store      string `json:"store"`    // "gorm", "gorm-mysql", "mysql", "wader-mysql", "redis", "goredis", "etcd", of keyStores, "dolab-redis", "dolab-memcache", or empty for Postgres
	Endpoint   string `json:"endpoint"` // of DynamoDB
	Table      string `json:"table"`    // of dynastore or pratikju/dynamostore

	Stock   settings        `json:"stock"`   // of a stock program
	Manager managerSettings `json:"manager"` // of scs
	Action  managerAction   `json:"action"`  // in scs
}

// A change is the change of a session of strings in a handler.
type change struct {
	Set   map[string]string `json:"set"`
	Unset []string          `json:"unset"`
	End   bool              `json:"end"`
}

// An answer carries the sealed or opened value, or gorilla's error.
type answer struct {
	Cookie  string            `json:"cookie,omitempty"`
	Payload string            `json:"payload,omitempty"` // hex
	Error   string            `json:"error,omitempty"`
	Values  map[string]string `json:"values,omitempty"`  // the strings of a session
	MaxAge  int               `json:"max_age,omitempty"` // the cookie's

	// of a session in scs
	Value      string `json:"value,omitempty"` // the popped value
	Status     int    `json:"status"`
	Deadline   int64  `json:"deadline,omitempty"`
	Remembered bool   `json:"remembered"`
}

// stock is true if the program registers no types.
var stock bool

func main() {
	stock = len(os.Args) == 2 && os.Args[1] == "stock"
	if !stock {
		registerTypes()
	}
	if len(os.Args) > 1 && os.Args[1] == "bench" {
		bench()
		return
	}
	if len(os.Args) > 2 {
		err := fmt.Errorf("no such command: %q", os.Args[1])
		switch os.Args[1] {
		case "serve":
			err = servePages(os.Args[2])
		case "allocations":
			err = countAllocations(os.Args[2])
		}
		if err != nil {
			fmt.Fprintln(os.Stderr, "interop:", err)
			os.Exit(1)
		}
		return
	}
	in := bufio.NewScanner(os.Stdin)
	in.Buffer(nil, 1<<24)
	out := bufio.NewWriter(os.Stdout)
	defer out.Flush()
	for in.Scan() {
		var asked request
		if err := json.Unmarshal(in.Bytes(), &asked); err != nil {
			fmt.Fprintln(os.Stderr, "interop: no request:", err)
			os.Exit(2)
		}
		given, err := json.Marshal(serve(asked))
		if err != nil {
			fmt.Fprintln(os.Stderr, "interop:", err)
			os.Exit(2)
		}
		out.Write(append(given, '\n'))
		out.Flush()
	}
}

func serve(asked request) answer {
	given, err := serveOr(asked)
	if err != nil {
		return answer{Error: err.Error()}
	}
	return given
}

func serveOr(asked request) (answer, error) {
	switch asked.Op {
	case "gob-make":
		payload, err := makeGob(asked)
		return answer{Payload: hex.EncodeToString(payload)}, err
	case "gob-same":
		after, err := decodeHex(asked.Kind, asked.After)
		if err != nil {
			return answer{}, err
		}
		return answer{}, compare(asked, after)
	case "gob-picture":
		var values map[string]interface{}
		payload, err := hex.DecodeString(asked.Payload)
		if err != nil {
			return answer{}, err
		}
		if err := gob.NewDecoder(bytes.NewReader(payload)).Decode(&values); err != nil {
			return answer{}, err
		}
		picture, err := json.Marshal(values)
		return answer{Payload: hex.EncodeToString(picture)}, err
	case "gob-draw":
		payload, err := hex.DecodeString(asked.Payload)
		if err != nil {
			return answer{}, err
		}
		drawn, err := pictureOf("session", payload)
		return answer{Payload: hex.EncodeToString(drawn)}, err
	case "http-make":
		return withStore(asked, func(store sessions.Store) (answer, error) {
			cookie, held, err := makeCookie(asked, store)
			return answer{Cookie: cookie, Payload: hex.EncodeToString(held)}, err
		})
	case "http-edit":
		return withStore(asked, func(store sessions.Store) (answer, error) {
			cookie, err := editCookie(asked, store)
			return answer{Cookie: cookie}, err
		})
	case "http-change":
		return withStore(asked, func(store sessions.Store) (answer, error) {
			return changeSession(asked, store)
		})
	case "http-same":
		return withStore(asked, func(store sessions.Store) (answer, error) {
			after, err := readCookie(asked, store)
			return answer{}, orCompare(asked, after, err)
		})
	case "http-types":
		return withStore(asked, func(store sessions.Store) (answer, error) {
			values, err := readCookie(asked, store)
			return answer{Values: typesOf(values)}, err
		})
	case "scs-make":
		return withManager(asked, func(manager *scs.SessionManager) (answer, error) {
			cookie, held, err := makeToken(asked, manager)
			return answer{Cookie: cookie, Payload: hex.EncodeToString(held)}, err
		})
	case "scs-edit":
		return withManager(asked, func(manager *scs.SessionManager) (answer, error) {
			cookie, err := editToken(asked, manager)
			return answer{Cookie: cookie}, err
		})
	case "scs-change":
		return withManager(asked, func(manager *scs.SessionManager) (answer, error) {
			return changeToken(asked, manager)
		})
	case "scs-act":
		return withManager(asked, func(manager *scs.SessionManager) (answer, error) {
			return actInManager(asked, manager)
		})
	case "scs-same":
		return withManager(asked, func(manager *scs.SessionManager) (answer, error) {
			after, err := readToken(asked, manager)
			return answer{}, orCompare(asked, after, err)
		})
	}
	if strings.HasPrefix(asked.Op, "dolab-") {
		return serveDolab(asked)
	}
	if strings.HasPrefix(asked.Op, "stock-") {
		return serveStock(asked)
	}
	codec, err := newCodec(asked)
	if err != nil {
		return answer{}, err
	}
	switch asked.Op {
	case "seal":
		return seal(codec, asked), nil
	case "open":
		return open(codec, asked), nil
	}
	return answer{}, fmt.Errorf("no such op: %q", asked.Op)
}

func withStore(asked request, do func(sessions.Store) (answer, error)) (answer, error) {
	store, err := newStore(asked)
	if err != nil {
		return answer{}, err
	}
	return do(store)
}

func withManager(asked request, do func(*scs.SessionManager) (answer, error)) (answer, error) {
	manager, err := newManager(asked)
	if err != nil {
		return answer{}, err
	}
	return do(manager)
}

// orCompare compares the values unless reading them failed.
func orCompare(asked request, after map[interface{}]interface{}, err error) error {
	if err != nil {
		return err
	}
	return compare(asked, after)
}

func compare(asked request, after map[interface{}]interface{}) error {
	before, err := decodeHex(asked.Kind, asked.Before)
	if err != nil {
		return err
	}
	return sameBut(asked.Changed, before, after)
}

func decodeHex(kind, text string) (map[interface{}]interface{}, error) {
	data, err := hex.DecodeString(text)
	if err != nil {
		return nil, err
	}
	return decodeGob(kind, data)
}

// newStore returns the requested gorilla store: of cookies, of files in a folder, or of rows in a
// database.
func newStore(asked request) (sessions.Store, error) {
	hashKey, err := hex.DecodeString(asked.HashKey)
	if err != nil {
		return nil, err
	}
	blockKey, err := hex.DecodeString(asked.BlockKey)
	if err != nil {
		return nil, err
	}
	if asked.Table != "" {
		return newTableStore(asked, securecookie.CodecsFromPairs(hashKey, blockKey))
	}
	if asked.Sqlite != "" {
		return waderStore(asked, hashKey, blockKey)
	}
	if keyStores[asked.Store] != nil {
		return keyStoreOf(asked, hashKey, blockKey)
	}
	if asked.Store == "wader-mysql" {
		return waderStoreOf(asked.Database, hashKey, blockKey)
	}
	if asked.Database != "" {
		database, err := databaseOf(asked.Database)
		if err != nil {
			return nil, err
		}
		store, err := pgstore.NewPGStoreFromPool(database, hashKey, blockKey)
		if err != nil {
			return nil, err
		}
		store.MaxLength(0)
		return store, nil
	}
	if asked.Folder != "" {
		store := sessions.NewFilesystemStore(asked.Folder, hashKey, blockKey)
		store.MaxLength(0)
		return store, nil
	}
	store := sessions.NewCookieStore(hashKey, blockKey)
	for _, codec := range store.Codecs {
		codec.(*securecookie.SecureCookie).MaxLength(0)
	}
	return store, nil
}

func newCodec(asked request) (*securecookie.SecureCookie, error) {
	hashKey, err := hex.DecodeString(asked.HashKey)
	if err != nil {
		return nil, err
	}
	var blockKey []byte
	if asked.BlockKey != "" {
		if blockKey, err = hex.DecodeString(asked.BlockKey); err != nil {
			return nil, err
		}
	}
	hashes := map[string]func() hash.Hash{
		"sha1": sha1.New, "sha256": sha256.New, "sha384": sha512.New384,
		"sha512": sha512.New, "sha512_256": sha512.New512_256,
	}
	serializers := map[string]securecookie.Serializer{
		"raw": securecookie.NopEncoder{}, "json": securecookie.JSONEncoder{}, "gob": securecookie.GobEncoder{},
	}
	if hashes[asked.Hash] == nil || serializers[asked.Serializer] == nil {
		return nil, fmt.Errorf("no such hash or serializer: %q %q", asked.Hash, asked.Serializer)
	}
	codec := securecookie.New(hashKey, blockKey)
	return codec.HashFunc(hashes[asked.Hash]).SetSerializer(serializers[asked.Serializer]), nil
}

func seal(codec *securecookie.SecureCookie, asked request) answer {
	payload, err := hex.DecodeString(asked.Payload)
	if err != nil {
		return answer{Error: err.Error()}
	}
	var value any
	switch asked.Serializer {
	case "raw":
		value = payload
	case "gob":
		value = string(payload)
	case "json":
		if err := json.Unmarshal(payload, &value); err != nil {
			return answer{Error: err.Error()}
		}
	}
	cookie, err := codec.Encode(asked.Name, value)
	if err != nil {
		return answer{Error: err.Error()}
	}
	return answer{Cookie: cookie}
}

func open(codec *securecookie.SecureCookie, asked request) answer {
	var payload []byte
	var err error
	switch asked.Serializer {
	case "raw":
		err = codec.Decode(asked.Name, asked.Cookie, &payload)
	case "gob":
		var text string
		err = codec.Decode(asked.Name, asked.Cookie, &text)
		payload = []byte(text)
	case "json":
		var value any
		if err = codec.Decode(asked.Name, asked.Cookie, &value); err == nil {
			payload, err = json.Marshal(value)
		}
	}
	if err != nil {
		return answer{Error: err.Error()}
	}
	return answer{Payload: hex.EncodeToString(payload)}
}
