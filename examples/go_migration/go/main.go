// The shop in Go. It listens on a free port of 127.0.0.1, prints the port, and ends with its
// standard input. The variable DATABASE_URL has the database of pgstore and scs. See ../README.md.
package main

import (
	"encoding/gob"
	"errors"
	"flag"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"time"
)

// A shop keeps sessions in a store, and serves the pages with them.
type shop interface {
	// with passes the session of a request to a handler, which answers the request.
	with(handle func(http.ResponseWriter, *http.Request, session)) http.Handler
	// name returns the name of the store.
	name() string
}

func main() {
	store := flag.String("store", "cookie", "cookie, pgstore or scs")
	keys := flag.String("keys", "", "the file with the keys of gorilla's stores")
	flag.Parse()
	// gob reads a session only if the program has registered the types of all its values. gob itself
	// registers basic types and slices of them, and gorilla registers []interface{}.
	gob.Register(time.Time{})
	if err := serve(*store, *keys, os.Getenv("DATABASE_URL")); err != nil {
		log.Fatal("error: ", err)
	}
}

func serve(store, keys, database string) error {
	opened, err := openShop(store, keys, database)
	if err != nil {
		return err
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	fmt.Println(listener.Addr().(*net.TCPAddr).Port)
	go http.Serve(listener, pages(opened))
	_, err = io.Copy(io.Discard, os.Stdin)
	return err
}

func openShop(store, keys, database string) (shop, error) {
	switch store {
	case "cookie":
		return openCookieStore(keys)
	case "pgstore":
		return openPgstore(keys, database)
	case "scs":
		return openScs(database)
	}
	return nil, errors.New("there is no store " + store)
}
