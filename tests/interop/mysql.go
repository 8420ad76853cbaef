package main

import (
	"database/sql"

	"github.com/alexedwards/scs/mysqlstore"
	"github.com/alexedwards/scs/v2"
	"github.com/gorilla/sessions"
	wader "github.com/wader/gormstore/v2"
	"gorm.io/driver/mysql"
	"gorm.io/gorm"
	"gorm.io/gorm/logger"
)

var mysqlDatabases = map[string]*sql.DB{}

// mysqlStoreOf returns the mysqlstore of a database.
func mysqlStoreOf(address string) (scs.Store, error) {
	database := mysqlDatabases[address]
	if database == nil {
		var err error
		if database, err = sql.Open("mysql", address); err != nil {
			return nil, err
		}
		mysqlDatabases[address] = database
	}
	return mysqlstore.NewWithCleanupInterval(database, 0), nil
}

var gormDatabases = map[string]*gorm.DB{}

// gormOfMysql opens a database once for gorm.
func gormOfMysql(address string) (*gorm.DB, error) {
	if opened := gormDatabases[address]; opened != nil {
		return opened, nil
	}
	// gorm's own logger writes slow statements to standard output, between the answers.
	opened, err := gorm.Open(mysql.Open(address), &gorm.Config{Logger: logger.Discard})
	if err == nil {
		gormDatabases[address] = opened
	}
	return opened, err
}

// waderStoreOf returns the store of wader/gormstore in a database.
func waderStoreOf(address string, hashKey, blockKey []byte) (sessions.Store, error) {
	opened, err := gormOfMysql(address)
	if err != nil {
		return nil, err
	}
	store := wader.New(opened, hashKey, blockKey)
	store.MaxLength(0)
	return store, nil
}
