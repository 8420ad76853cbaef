package main

import (
	"bytes"
	"context"
	"database/sql"
	"encoding/gob"
	"errors"
	"math/rand"
	"net/http"
	"net/http/httptest"
	"time"

	"github.com/alexedwards/scs/gormstore"
	"github.com/alexedwards/scs/postgresstore"
	"github.com/alexedwards/scs/v2"
	"gorm.io/driver/postgres"
	"gorm.io/gorm"
	"gorm.io/gorm/logger"
)

// newManager returns an scs session manager with its sessions in the requested database.
func newManager(asked request) (*scs.SessionManager, error) {
	store, err := newScsStore(asked)
	if err != nil {
		return nil, err
	}
	manager := scs.New()
	manager.Cookie.Name = sessionName
	manager.Lifetime = time.Hour
	manager.Store = store
	asked.Manager.apply(manager)
	return manager, nil
}

func newScsStore(asked request) (scs.Store, error) {
	if asked.Sqlite != "" {
		return sqliteScsStore(asked)
	}
	switch asked.Store {
	case "gorm":
		return gormStoreOf(asked.Database)
	case "gorm-mysql":
		opened, err := gormOfMysql(asked.Database)
		if err != nil {
			return nil, err
		}
		return gormstore.NewWithCleanupInterval(opened, 0)
	case "mysql":
		return mysqlStoreOf(asked.Database)
	case "redis":
		return redisStoreOf(asked.Database), nil
	case "goredis":
		return goRedisStoreOf(asked.Database), nil
	case "etcd":
		return etcdStoreOf(asked.Database)
	}
	database, err := databaseOf(asked.Database)
	return postgresstore.NewWithCleanupInterval(database, 0), err
}

var gormStores = map[string]*gormstore.GORMStore{}

// gormStoreOf returns the gormstore of a database. The first call creates its table.
func gormStoreOf(url string) (*gormstore.GORMStore, error) {
	if store := gormStores[url]; store != nil {
		return store, nil
	}
	// gorm's own logger writes slow statements to standard output, between the answers.
	opened, err := gorm.Open(postgres.Open(url), &gorm.Config{Logger: logger.Discard})
	if err != nil {
		return nil, err
	}
	store, err := gormstore.NewWithCleanupInterval(opened, 0)
	if err == nil {
		gormStores[url] = store
	}
	return store, err
}

// makeToken sets a random session in scs over real HTTP, and returns the cookie and the gob of its
// values.
func makeToken(asked request, manager *scs.SessionManager) (string, []byte, error) {
	values := map[interface{}]interface{}{}
	for key, value := range randomValues(rand.New(rand.NewSource(asked.Seed))) {
		values[key] = value
	}
	asked.Cookie = ""
	cookies, err := visitManager(asked, manager, func(session context.Context) {
		for key, value := range values {
			manager.Put(session, key.(string), value)
		}
	})
	if err != nil {
		return "", nil, err
	}
	if len(cookies) != 1 {
		return "", nil, errors.New("no cookie was set")
	}
	var held bytes.Buffer
	err = gob.NewEncoder(&held).Encode(values)
	return cookies[0].Value, held.Bytes(), err
}

// readToken sends a cookie to scs over real HTTP, and returns the values in the handler.
func readToken(asked request, manager *scs.SessionManager) (map[interface{}]interface{}, error) {
	values := map[interface{}]interface{}{}
	_, err := visitManager(asked, manager, func(session context.Context) {
		for _, key := range manager.Keys(session) {
			values[key] = manager.Get(session, key)
		}
	})
	return values, err
}

// editToken sends a cookie to scs over real HTTP, adds a value in the handler, and returns the new
// cookie.
func editToken(asked request, manager *scs.SessionManager) (string, error) {
	cookies, err := visitManager(asked, manager, func(session context.Context) {
		manager.Put(session, "go", "was here")
	})
	if err != nil {
		return "", err
	}
	if len(cookies) != 1 {
		return "", errors.New("no cookie was set")
	}
	return cookies[0].Value, nil
}

// changeToken changes an scs session in the same way as changeSession.
func changeToken(asked request, manager *scs.SessionManager) (answer, error) {
	given := answer{Cookie: asked.Cookie, Values: map[string]string{}}
	wants := asked.Change
	cookies, err := visitManager(asked, manager, func(session context.Context) {
		for key, value := range wants.Set {
			manager.Put(session, key, value)
		}
		for _, key := range wants.Unset {
			manager.Remove(session, key)
		}
		for _, key := range manager.Keys(session) {
			if text, ok := manager.Get(session, key).(string); ok {
				given.Values[key] = text
			}
		}
		if wants.End {
			if err := manager.Destroy(session); err != nil {
				panic(err)
			}
		}
	})
	for _, cookie := range cookies {
		given.Cookie = cookie.Value
	}
	return given, err
}

func visitManager(asked request, manager *scs.SessionManager, handle func(context.Context)) ([]*http.Cookie, error) {
	var failure error
	manager.ErrorFunc = func(w http.ResponseWriter, r *http.Request, err error) { failure = err }
	handler := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { handle(r.Context()) })
	server := httptest.NewServer(manager.LoadAndSave(handler))
	defer server.Close()
	cookies, err := get(server.URL, asked.Cookie)
	return cookies, errors.Join(failure, err)
}

var databases = map[string]*sql.DB{}

// databaseOf opens a database once.
func databaseOf(url string) (*sql.DB, error) {
	if database := databases[url]; database != nil {
		return database, nil
	}
	database, err := sql.Open("postgres", url)
	if err == nil {
		databases[url] = database
	}
	return database, err
}
