package main

import (
	"database/sql"
	"log"
	"net/http"
	"sync"

	"github.com/antonlindstrom/pgstore"
	"github.com/gorilla/sessions"
)

const month = 86400 * 30 // gorilla's default MaxAge

// A gorillaShop keeps sessions in a store of gorilla/sessions, whose keys are in a file. The shop
// reads the file at each request, so that keys can be rotated while it runs.
type gorillaShop struct {
	storeName string
	keysFile  string
	newStore  func(keyPairs ...[]byte) (sessions.Store, error)

	mutex  sync.Mutex
	spec   string // the contents of the file
	latest sessions.Store
}

func openCookieStore(keysFile string) (shop, error) {
	return openGorilla("gorilla/sessions, CookieStore", keysFile, func(keyPairs ...[]byte) (sessions.Store, error) {
		store := sessions.NewCookieStore(keyPairs...)
		store.Options = cookieOptions()
		return store, nil
	})
}

func openPgstore(keysFile, url string) (shop, error) {
	database, err := sql.Open("postgres", url)
	if err != nil {
		return nil, err
	}
	return openGorilla("gorilla/sessions, pgstore", keysFile, func(keyPairs ...[]byte) (sessions.Store, error) {
		store, err := pgstore.NewPGStoreFromPool(database, keyPairs...)
		if err == nil {
			store.Options = cookieOptions()
		}
		return store, err
	})
}

func cookieOptions() *sessions.Options {
	return &sessions.Options{Path: "/", MaxAge: month, HttpOnly: true, SameSite: http.SameSiteLaxMode}
}

func openGorilla(name, keysFile string, newStore func(keyPairs ...[]byte) (sessions.Store, error)) (shop, error) {
	opened := &gorillaShop{storeName: name, keysFile: keysFile, newStore: newStore}
	return opened, opened.readKeys()
}

func (g *gorillaShop) name() string { return g.storeName }

// readKeys replaces the store if the keys in the file have changed.
func (g *gorillaShop) readKeys() error {
	spec, err := readKeyFile(g.keysFile)
	if err != nil || spec == g.spec {
		return err
	}
	keyPairs, err := parseKeys(spec)
	if err != nil {
		return err
	}
	store, err := g.newStore(keyPairs...)
	if err == nil {
		g.spec, g.latest = spec, store
	}
	return err
}

// store returns the store with the keys of the file, or with the last valid ones.
func (g *gorillaShop) store() sessions.Store {
	g.mutex.Lock()
	defer g.mutex.Unlock()
	if err := g.readKeys(); err != nil {
		log.Print("the keys stay as they are: ", err)
	}
	return g.latest
}

func (g *gorillaShop) with(handle func(http.ResponseWriter, *http.Request, session)) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		// As in most Go programs, a cookie that does not open is a new session.
		values, err := g.store().Get(r, cookieName)
		if values == nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		handle(w, r, gorillaSession{values})
	})
}

type gorillaSession struct{ *sessions.Session }

func (s gorillaSession) get(key string) interface{} { return s.Values[key] }

func (s gorillaSession) put(key string, value interface{}) { s.Values[key] = value }

func (s gorillaSession) addFlash(text string) { s.AddFlash(text) }

func (s gorillaSession) flashes() []string {
	var texts []string
	for _, flash := range s.Flashes() {
		if text, isText := flash.(string); isText {
			texts = append(texts, text)
		}
	}
	return texts
}

// renew makes the store insert a new row. The old row keeps what was in it before.
func (s gorillaSession) renew() error {
	s.ID, s.IsNew = "", true
	return nil
}

func (s gorillaSession) end() error {
	s.Options.MaxAge = -1
	return nil
}

func (s gorillaSession) save(w http.ResponseWriter, r *http.Request) error {
	return s.Save(r, w)
}
