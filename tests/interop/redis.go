package main

import (
	"github.com/alexedwards/scs/goredisstore"
	"github.com/alexedwards/scs/redisstore"
	"github.com/alexedwards/scs/v2"
	"github.com/gomodule/redigo/redis"
	goredis "github.com/redis/go-redis/v9"
)

var redisPools = map[string]*redis.Pool{}

// redisStoreOf returns the redisstore of a server.
func redisStoreOf(address string) scs.Store {
	pool := redisPools[address]
	if pool == nil {
		pool = &redis.Pool{
			MaxIdle: 4,
			Dial:    func() (redis.Conn, error) { return redis.Dial("tcp", address) },
		}
		redisPools[address] = pool
	}
	return redisstore.New(pool)
}

var goRedisClients = map[string]*goredis.Client{}

// goRedisStoreOf returns the goredisstore of a server.
func goRedisStoreOf(address string) scs.Store {
	client := goRedisClients[address]
	if client == nil {
		client = goredis.NewClient(&goredis.Options{Addr: address})
		goRedisClients[address] = client
	}
	return goredisstore.New(client)
}
