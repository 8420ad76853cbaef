package main

import (
	"context"
	"fmt"
	"strings"

	redistore "github.com/boj/redistore"
	redistore2 "github.com/boj/redistore/v2"
	"github.com/bradfitz/gomemcache/memcache"
	gsm "github.com/bradleypeabody/gorilla-sessions-memcache"
	ginmemcached "github.com/gin-contrib/sessions/memcached"
	ginredis "github.com/gin-contrib/sessions/redis"
	"github.com/gorilla/sessions"
	rbcervilla "github.com/rbcervilla/redisstore/v9"
	goredis "github.com/redis/go-redis/v9"
)

// keyStores has the constructors of gorilla's stores in servers that know only keys and values, by
// the names in requests. Each gets the server's address.
var keyStores = map[string]func(address string, keyPairs ...[]byte) (sessions.Store, error){
	"redistore": func(address string, keyPairs ...[]byte) (sessions.Store, error) {
		store, err := redistore.NewRediStore(4, "tcp", address, "", "", keyPairs...)
		if err == nil {
			store.SetMaxLength(0)
		}
		return store, err
	},
	"redistore-json": func(address string, keyPairs ...[]byte) (sessions.Store, error) {
		store, err := redistore.NewRediStore(4, "tcp", address, "", "", keyPairs...)
		if err == nil {
			store.SetSerializer(redistore.JSONSerializer{})
		}
		return store, err
	},
	"redistore-v2": func(address string, keyPairs ...[]byte) (sessions.Store, error) {
		pool := redistore2.WithAddress("tcp", address)
		return redistore2.NewStore(keyPairs, pool, redistore2.WithMaxLength(0))
	},
	"gin-redis": func(address string, keyPairs ...[]byte) (sessions.Store, error) {
		return ginredis.NewStore(4, "tcp", address, "", "", keyPairs...)
	},
	"rbcervilla": func(address string, _ ...[]byte) (sessions.Store, error) {
		return rbcervilla.NewRedisStore(context.Background(), goredis.NewClient(&goredis.Options{Addr: address}))
	},
	"memcache": func(addresses string, keyPairs ...[]byte) (sessions.Store, error) {
		return memcacheStore(addresses, gsm.StoreMethodSecureCookie, keyPairs), nil
	},
	"memcache-gob": func(addresses string, keyPairs ...[]byte) (sessions.Store, error) {
		return memcacheStore(addresses, gsm.StoreMethodGob, keyPairs), nil
	},
	"memcache-json": func(addresses string, keyPairs ...[]byte) (sessions.Store, error) {
		return memcacheStore(addresses, gsm.StoreMethodJson, keyPairs), nil
	},
	"gin-memcached": func(addresses string, keyPairs ...[]byte) (sessions.Store, error) {
		client := memcache.New(strings.Split(addresses, ",")...)
		return ginmemcached.NewStore(client, memcachePrefix, keyPairs...), nil
	},
}

const memcachePrefix = "session_prefix_"

// memcacheStore returns the store of gorilla-sessions-memcache for the servers, whose addresses are
// separated by commas.
func memcacheStore(addresses string, method gsm.StoreMethod, keyPairs [][]byte) sessions.Store {
	client := memcache.New(strings.Split(addresses, ",")...)
	store := gsm.NewMemcacheStore(client, memcachePrefix, keyPairs...)
	store.StoreMethod = method
	store.MaxLength(0)
	return store
}

var openedKeyStores = map[string]sessions.Store{}

// keyStoreOf returns the requested store of a server, which is opened once.
func keyStoreOf(asked request, keyPairs ...[]byte) (sessions.Store, error) {
	name := fmt.Sprintf("%s %s %x", asked.Store, asked.Database, keyPairs)
	if store := openedKeyStores[name]; store != nil {
		return store, nil
	}
	store, err := keyStores[asked.Store](asked.Database, keyPairs...)
	if err == nil {
		openedKeyStores[name] = store
	}
	return store, err
}
