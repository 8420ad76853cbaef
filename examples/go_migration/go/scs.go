package main

import (
	"context"
	"database/sql"
	"net/http"

	"github.com/alexedwards/scs/postgresstore"
	"github.com/alexedwards/scs/v2"
	_ "github.com/lib/pq"
)

// table is the table of scs's README.
const table = `
CREATE TABLE IF NOT EXISTS sessions (token TEXT PRIMARY KEY, data BYTEA NOT NULL, expiry TIMESTAMPTZ NOT NULL);
CREATE INDEX IF NOT EXISTS sessions_expiry_idx ON sessions (expiry);`

type scsShop struct{ manager *scs.SessionManager }

func openScs(url string) (shop, error) {
	database, err := sql.Open("postgres", url)
	if err != nil {
		return nil, err
	}
	if _, err := database.Exec(table); err != nil {
		return nil, err
	}
	manager := scs.New()
	manager.Cookie.Name = cookieName
	manager.Store = postgresstore.New(database)
	return scsShop{manager}, nil
}

func (s scsShop) name() string { return "scs, postgresstore" }

// with lets scs save the session after the handler.
func (s scsShop) with(handle func(http.ResponseWriter, *http.Request, session)) http.Handler {
	return s.manager.LoadAndSave(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		handle(w, r, scsSession{s.manager, r.Context()})
	}))
}

type scsSession struct {
	manager *scs.SessionManager
	context context.Context
}

func (s scsSession) get(key string) interface{} { return s.manager.Get(s.context, key) }

func (s scsSession) put(key string, value interface{}) { s.manager.Put(s.context, key, value) }

func (s scsSession) addFlash(text string) {
	texts, _ := s.get(flashKey).([]string)
	s.put(flashKey, append(texts, text))
}

func (s scsSession) flashes() []string {
	texts, _ := s.manager.Pop(s.context, flashKey).([]string)
	return texts
}

func (s scsSession) renew() error { return s.manager.RenewToken(s.context) }

func (s scsSession) end() error { return s.manager.Destroy(s.context) }

func (s scsSession) save(http.ResponseWriter, *http.Request) error { return nil }
