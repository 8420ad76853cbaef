package main

// A port of dolab/session at commit 081d917, whose module cannot be downloaded: its cookie, its rows
// in Redis and Memcached, and the calls of a handler. Its own bugs are part of it: rows have no
// expiry, and each write replaces the whole row.

import (
	"bytes"
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/md5"
	crand "crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/gob"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand"
	"net/http"
	"net/url"
	"time"

	"github.com/bradfitz/gomemcache/memcache"
	goredis "github.com/redis/go-redis/v9"
)

const (
	dolabName   = "gosession"
	dolabSecret = "the Go program's secret"
	dolabExpire = 7 * 24 * time.Hour
)

// A dolabCookie is what the cookie holds. The type's name is not sent.
type dolabCookie struct {
	Value string
	Ctime time.Time
}

// dolabStream returns the key stream of all cookies: the key is public, and the IV is fixed.
func dolabStream(encrypts bool) cipher.Stream {
	key, iv := sha256.Sum256([]byte(dolabName)), md5.Sum([]byte(dolabSecret))
	block, err := aes.NewCipher(key[:])
	if err != nil {
		panic(err)
	}
	if encrypts {
		return cipher.NewCFBEncrypter(block, iv[:])
	}
	return cipher.NewCFBDecrypter(block, iv[:])
}

func sealDolab(id string) (string, error) {
	var text bytes.Buffer
	if err := gob.NewEncoder(&text).Encode(&dolabCookie{id, time.Now()}); err != nil {
		return "", err
	}
	sealed := make([]byte, text.Len())
	dolabStream(true).XORKeyStream(sealed, text.Bytes())
	return url.QueryEscape(base64.RawURLEncoding.EncodeToString(sealed)), nil
}

// openDolab returns the ID in the last cookie of the request.
func openDolab(r *http.Request) (string, error) {
	last := ""
	for _, cookie := range r.Cookies() {
		if cookie.Name == dolabName {
			last = cookie.Value
		}
	}
	unescaped, err := url.QueryUnescape(last)
	if err != nil {
		return "", err
	}
	text, err := base64.RawURLEncoding.DecodeString(unescaped)
	if err != nil {
		return "", err
	}
	dolabStream(false).XORKeyStream(text, text)
	var opened dolabCookie
	if err := gob.NewDecoder(bytes.NewReader(text)).Decode(&opened); err != nil {
		return "", err
	}
	if time.Now().After(opened.Ctime.Add(dolabExpire)) {
		return "", errors.New("the cookie has expired")
	}
	return opened.Value, nil
}

// A dolabValue is a row.
type dolabValue struct {
	Data map[string]json.RawMessage
}

// A dolabProvider keeps rows in a server.
type dolabProvider interface {
	load(id string) ([]byte, error)
	store(id string, row []byte) error
	remove(id string) error
}

type dolabRedis struct{ client *goredis.Client }

func (p dolabRedis) load(id string) ([]byte, error) {
	return p.client.Get(context.Background(), id).Bytes()
}

func (p dolabRedis) store(id string, row []byte) error {
	return p.client.Set(context.Background(), id, row, 0).Err()
}

func (p dolabRedis) remove(id string) error {
	return p.client.Del(context.Background(), id).Err()
}

type dolabMemcache struct{ client *memcache.Client }

func (p dolabMemcache) load(id string) ([]byte, error) {
	item, err := p.client.Get(id)
	if err != nil {
		return nil, err
	}
	return item.Value, nil
}

func (p dolabMemcache) store(id string, row []byte) error {
	return p.client.Set(&memcache.Item{Key: id, Value: row})
}

func (p dolabMemcache) remove(id string) error { return p.client.Delete(id) }

var dolabProviders = map[string]dolabProvider{}

func dolabProviderOf(asked request) dolabProvider {
	key := asked.Store + " " + asked.Database
	if dolabProviders[key] == nil {
		switch asked.Store {
		case "dolab-redis":
			dolabProviders[key] = dolabRedis{goredis.NewClient(&goredis.Options{Addr: asked.Database})}
		default:
			dolabProviders[key] = dolabMemcache{memcache.New(asked.Database)}
		}
	}
	return dolabProviders[key]
}

func newDolabID() string {
	id := make([]byte, 16)
	if _, err := crand.Read(id); err != nil {
		panic(err)
	}
	return hex.EncodeToString(id)
}

// serveDolab answers a question about sessions of dolab/session.
func serveDolab(asked request) (answer, error) {
	provider := dolabProviderOf(asked)
	if asked.Op == "dolab-make" {
		return makeDolab(asked.Seed, provider)
	}
	r := &http.Request{Header: http.Header{"Cookie": {dolabName + "=" + asked.Cookie}}}
	id, err := openDolab(r)
	if err != nil {
		return answer{}, err
	}
	row, err := provider.load(id)
	if err != nil {
		return answer{}, err
	}
	var value *dolabValue
	if err := json.Unmarshal(row, &value); err != nil {
		return answer{}, err
	}
	switch asked.Op {
	case "dolab-change":
		return changeDolab(asked, id, value, provider)
	case "dolab-refresh":
		return refreshDolab(id, value, provider)
	case "dolab-same":
		return answer{}, sameDolab(asked, value)
	}
	return answer{}, fmt.Errorf("no such op: %q", asked.Op)
}

func storeDolab(id string, value *dolabValue, provider dolabProvider) (answer, error) {
	row, err := json.Marshal(value)
	if err != nil {
		return answer{}, err
	}
	if err := provider.store(id, row); err != nil {
		return answer{}, err
	}
	cookie, err := sealDolab(id)
	return answer{Cookie: cookie, Payload: hex.EncodeToString(row)}, err
}

// makeDolab begins a session with random values.
func makeDolab(seed int64, provider dolabProvider) (answer, error) {
	r := rand.New(rand.NewSource(seed))
	value := &dolabValue{Data: map[string]json.RawMessage{}}
	for range r.Intn(6) {
		text, err := json.Marshal(randomJSON(r, 3))
		if err != nil {
			return answer{}, err
		}
		value.Data[randomText(r)] = text
	}
	for _, number := range []string{"1e400", "-0", "1.0", "123456789012345678901234567890", "1E+2"} {
		if r.Intn(4) == 0 {
			value.Data[randomText(r)] = json.RawMessage(number)
		}
	}
	return storeDolab(newDolabID(), value, provider)
}

// changeDolab applies a change of strings, and returns the strings of the session.
func changeDolab(asked request, id string, value *dolabValue, provider dolabProvider) (answer, error) {
	wants := asked.Change
	for key, text := range wants.Set {
		encoded, err := json.Marshal(text)
		if err != nil {
			return answer{}, err
		}
		value.Data[key] = encoded
	}
	for _, key := range wants.Unset {
		delete(value.Data, key)
	}
	given := answer{Cookie: asked.Cookie, Values: map[string]string{}}
	for key, encoded := range value.Data {
		var text string
		if json.Unmarshal(encoded, &text) == nil {
			given.Values[key] = text
		}
	}
	if wants.End {
		return answer{}, provider.remove(id)
	}
	if len(wants.Set)+len(wants.Unset) > 0 {
		if _, err := storeDolab(id, value, provider); err != nil {
			return answer{}, err
		}
	}
	return given, nil
}

// refreshDolab copies a session to a new ID.
func refreshDolab(id string, value *dolabValue, provider dolabProvider) (answer, error) {
	given, err := storeDolab(newDolabID(), value, provider)
	if err != nil {
		return answer{}, err
	}
	return given, provider.remove(id)
}

// sameDolab compares the JSON of all values but the one that was changed and the metadata.
func sameDolab(asked request, after *dolabValue) error {
	row, err := hex.DecodeString(asked.Before)
	if err != nil {
		return err
	}
	var before dolabValue
	if err := json.Unmarshal(row, &before); err != nil {
		return err
	}
	for _, data := range []map[string]json.RawMessage{before.Data, after.Data} {
		delete(data, asked.Changed)
		delete(data, "_session")
	}
	one, err := json.Marshal(before)
	if err != nil {
		return err
	}
	other, err := json.Marshal(after)
	if err == nil && !bytes.Equal(one, other) {
		return fmt.Errorf("%s became %s", one, other)
	}
	return err
}

func randomJSON(r *rand.Rand, depth int) interface{} {
	switch r.Intn(8) {
	case 0:
		return nil
	case 1:
		return r.Intn(2) == 0
	case 2:
		return r.NormFloat64() * 1e10
	case 3:
		return r.Uint64()
	case 4:
		if depth > 0 {
			return []interface{}{randomJSON(r, depth-1), randomJSON(r, depth-1)}
		}
	case 5:
		if depth > 0 {
			return map[string]interface{}{randomText(r): randomJSON(r, depth-1)}
		}
	}
	return randomText(r)
}

func randomText(r *rand.Rand) string {
	letters := []rune("az09 <>&\"\\\n\x00\x1f\u00e9\u6f22\U0001f98d\u2028\u2029\ufffd")
	text := make([]rune, 1+r.Intn(9))
	for i := range text {
		text[i] = letters[r.Intn(len(letters))]
	}
	return string(text)
}
