package main

import (
	"bytes"
	"context"
	"encoding/gob"
	"encoding/hex"
	"fmt"
	"math"
	"math/rand"
	"net/http"
	"reflect"
	"time"

	"github.com/alexedwards/scs/v2"
	"github.com/antonlindstrom/pgstore"
	"github.com/gorilla/sessions"
)

// Settings are the settings of a stock program that differ from the defaults.
type settings struct {
	Scs      bool  `json:"scs"`      // false: a store of gorilla/sessions
	MaxAge   *int  `json:"max_age"`  // pgstore's
	Idle     int   `json:"idle"`     // scs's IdleTimeout, in seconds
	Hash     bool  `json:"hash"`     // scs's HashTokenInStore
	Forgets  bool  `json:"forgets"`  // scs's Cookie.Persist is false
	Remember *bool `json:"remember"` // scs's RememberMe, when a session is made
}

// A stockSession is the session in a handler of either package.
type stockSession struct {
	put    func(key string, value interface{})
	values func() map[interface{}]interface{}
	scs    *scs.SessionManager
	within context.Context
}

// serveStock runs the requested operation on a session, over real HTTP, in a program that registers
// nothing for gob and uses the packages' own defaults.
func serveStock(asked request) (answer, error) {
	var given answer
	var failure error
	handle := func(session stockSession) {
		switch asked.Op {
		case "stock-make":
			values := stockValues(rand.New(rand.NewSource(asked.Seed)))
			for key, value := range values {
				session.put(key, value)
			}
			if asked.Stock.Remember != nil {
				session.scs.RememberMe(session.within, *asked.Stock.Remember)
			}
			var held bytes.Buffer
			failure = gob.NewEncoder(&held).Encode(session.values())
			given.Payload = hex.EncodeToString(held.Bytes())
		case "stock-same":
			var before map[interface{}]interface{}
			data, _ := hex.DecodeString(asked.Before)
			failure = gob.NewDecoder(bytes.NewReader(data)).Decode(&before)
			if failure == nil {
				failure = sameStock(asked.Changed, before, session.values())
			}
		case "stock-edit":
			session.put("go", "was here")
		}
	}
	cookies, err := visitStock(asked, handle)
	for _, cookie := range cookies {
		given.Cookie, given.MaxAge = cookie.Value, cookie.MaxAge
	}
	if err == nil {
		err = failure
	}
	return given, err
}

// visitStock sends the cookie to the program, and returns the cookies of the response.
func visitStock(asked request, handle func(stockSession)) ([]*http.Cookie, error) {
	if !asked.Stock.Scs {
		store, err := newStore(asked)
		if err != nil {
			return nil, err
		}
		if asked.Stock.MaxAge != nil {
			store.(*pgstore.PGStore).MaxAge(*asked.Stock.MaxAge)
		}
		return visit(asked, store, func(session *sessions.Session) bool {
			handle(stockSession{
				put:    func(key string, value interface{}) { session.Values[key] = value },
				values: func() map[interface{}]interface{} { return session.Values },
			})
			return asked.Op != "stock-same"
		})
	}
	manager := scs.New()
	store, err := newScsStore(asked)
	if err != nil {
		return nil, err
	}
	manager.Store = store
	manager.IdleTimeout = time.Duration(asked.Stock.Idle) * time.Second
	manager.HashTokenInStore = asked.Stock.Hash
	manager.Cookie.Persist = !asked.Stock.Forgets
	return visitManager(asked, manager, func(within context.Context) {
		handle(stockSession{
			put: func(key string, value interface{}) { manager.Put(within, key, value) },
			values: func() map[interface{}]interface{} {
				values := map[interface{}]interface{}{}
				for _, key := range manager.Keys(within) {
					values[key] = manager.Get(within, key)
				}
				return values
			},
			scs:    manager,
			within: within,
		})
	})
}

// stockValues returns values of types that Go's gob registers itself. One session in eight has the
// key that Silverback uses for its own metadata.
func stockValues(r *rand.Rand) map[string]interface{} {
	makers := []func() interface{}{
		func() interface{} { return r.Intn(2) == 0 },
		func() interface{} { return int(r.Uint64()) },
		func() interface{} { return int8(r.Uint32()) },
		func() interface{} { return int32(r.Uint32()) },
		func() interface{} { return int64(r.Uint64()) },
		func() interface{} { return uint(r.Uint64()) },
		func() interface{} { return uint8(r.Uint32()) },
		func() interface{} { return uint64(r.Uint64()) },
		func() interface{} { return float32(r.NormFloat64()) },
		func() interface{} { return r.NormFloat64() * math.Pow(10, float64(r.Intn(40)-20)) },
		func() interface{} { return complex(r.NormFloat64(), 1) },
		func() interface{} { return randomString(r) },
		func() interface{} { return []byte(randomString(r) + "b") },
		func() interface{} { return []string{randomString(r), ""} },
		func() interface{} { return []int{0, int(r.Int63()), -1} },
		func() interface{} { return []float64{r.Float64()} },
		func() interface{} { return []bool{true, false} },
	}
	values := map[string]interface{}{"user": r.Int63()}
	for n := r.Intn(6); n > 0; n-- {
		values[randomString(r)+"k"] = makers[r.Intn(len(makers))]()
	}
	if r.Intn(8) == 0 {
		values["_session"] = makers[r.Intn(len(makers))]()
	}
	return values
}

// sameStock reports differences of two sessions, except for one key, which must hold 42 afterwards.
// Silverback's metadata is under the first free key of its own.
func sameStock(changed string, before, after map[interface{}]interface{}) error {
	ours := "_session"
	if _, taken := before[ours]; taken {
		ours = "_silverback"
	}
	seen := map[interface{}]interface{}{}
	for key, value := range after {
		if key != ours && key != changed {
			seen[key] = value
		}
	}
	if _, isText := after[ours].(string); !isText {
		return fmt.Errorf("ours holds %#v", after[ours])
	}
	if after[changed] != int64(42) {
		return fmt.Errorf("the changed key holds %#v", after[changed])
	}
	if !reflect.DeepEqual(before, seen) {
		return fmt.Errorf("they differ:\n%#v\n%#v", before, seen)
	}
	return nil
}
