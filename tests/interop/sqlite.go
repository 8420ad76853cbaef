package main

import (
	"database/sql"
	_ "time/tzdata" // the tests name time zones

	"github.com/alexedwards/scs/gormstore"
	"github.com/alexedwards/scs/sqlite3store"
	"github.com/alexedwards/scs/v2"
	"github.com/glebarez/sqlite"
	"github.com/gorilla/sessions"
	wader "github.com/wader/gormstore/v2"
	"gorm.io/gorm"
	"gorm.io/gorm/logger"
)

var sqliteFiles = map[string]*gorm.DB{}

// sqliteOf opens a file of SQLite once, with a driver that needs no C compiler.
func sqliteOf(path string) (*gorm.DB, error) {
	if opened := sqliteFiles[path]; opened != nil {
		return opened, nil
	}
	opened, err := gorm.Open(sqlite.Open(path+"?_pragma=busy_timeout(10000)"), &gorm.Config{Logger: logger.Discard})
	if err == nil {
		sqliteFiles[path] = opened
	}
	return opened, err
}

// sqliteScsStore returns the requested store of scs: its sqlite3store, or its gormstore, which
// creates its table.
func sqliteScsStore(asked request) (scs.Store, error) {
	opened, err := sqliteOf(asked.Sqlite)
	if err != nil {
		return nil, err
	}
	if asked.Store == "gorm" {
		return gormstore.NewWithCleanupInterval(opened, 0)
	}
	var database *sql.DB
	database, err = opened.DB()
	return sqlite3store.NewWithCleanupInterval(database, 0), err
}

// waderStore returns the store of wader/gormstore, which creates its table.
func waderStore(asked request, keyPairs ...[]byte) (sessions.Store, error) {
	opened, err := sqliteOf(asked.Sqlite)
	if err != nil {
		return nil, err
	}
	store := wader.New(opened, keyPairs...)
	store.MaxLength(0)
	return store, nil
}
