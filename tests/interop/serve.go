package main

import (
	"context"
	"database/sql"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"runtime"
	"strconv"
	"strings"

	"github.com/alexedwards/scs/goredisstore"
	"github.com/alexedwards/scs/mysqlstore"
	"github.com/alexedwards/scs/pgxstore"
	"github.com/alexedwards/scs/v2"
	"github.com/jackc/pgx/v5/pgxpool"
	goredis "github.com/redis/go-redis/v9"
)

const connections = 10 // as in the other programs

// pagesStore returns the store of a Redis server, or of a Postgres or MySQL database, whose table it
// creates.
func pagesStore(url string) (scs.Store, error) {
	if strings.HasPrefix(url, "redis:") {
		options, err := goredis.ParseURL(url)
		if err != nil {
			return nil, err
		}
		options.PoolSize = connections
		return goredisstore.New(goredis.NewClient(options)), nil
	}
	if address, isMysql := strings.CutPrefix(url, "mysql:"); isMysql {
		database, err := sql.Open("mysql", address)
		if err != nil {
			return nil, err
		}
		database.SetMaxOpenConns(connections)
		database.SetMaxIdleConns(connections)
		_, err = database.Exec("CREATE TABLE sessions (token CHAR(43) PRIMARY KEY, data BLOB NOT NULL, " +
			"expiry TIMESTAMP(6) NOT NULL, KEY sessions_expiry_idx (expiry))")
		return mysqlstore.NewWithCleanupInterval(database, 0), err
	}
	config, err := pgxpool.ParseConfig(url)
	if err != nil {
		return nil, err
	}
	config.MaxConns = connections
	pool, err := pgxpool.NewWithConfig(context.Background(), config)
	if err != nil {
		return nil, err
	}
	_, err = pool.Exec(context.Background(),
		"CREATE TABLE sessions (token TEXT PRIMARY KEY, data BYTEA NOT NULL, expiry TIMESTAMPTZ NOT NULL);"+
			"CREATE INDEX sessions_expiry_idx ON sessions (expiry)")
	return pgxstore.NewWithCleanupInterval(pool, 0), err
}

// sessionPages is the scs side of benches/peers: pages that begin, read and write a session in the
// database and return its counter, and one that uses no session.
func sessionPages(url string) (http.Handler, error) {
	store, err := pagesStore(url)
	if err != nil {
		return nil, err
	}
	manager := scs.New()
	manager.Store = store
	pages := http.NewServeMux()
	page := func(name string, handle func(session context.Context) int) {
		pages.HandleFunc("/"+name, func(w http.ResponseWriter, r *http.Request) {
			io.WriteString(w, strconv.Itoa(handle(r.Context())))
		})
	}
	tell := func(session context.Context) int { return manager.GetInt(session, "visits") }
	page("read", tell)
	page("tell", tell)
	page("begin", func(session context.Context) int {
		manager.Put(session, "user", "0196f5b4-54a4-7a31-a4ff-52d60e4c3b0d")
		manager.Put(session, "name", "Koko")
		manager.Put(session, "theme", "dark")
		manager.Put(session, "csrf", "kL9wZ0dJYb3oV1xq7uQmT2c5nEr8sAhG")
		manager.Put(session, "visits", 7)
		return 7
	})
	page("write", func(session context.Context) int {
		visits := manager.GetInt(session, "visits") + 1
		manager.Put(session, "visits", visits)
		return visits
	})
	all := http.NewServeMux()
	all.Handle("/", manager.LoadAndSave(pages))
	all.HandleFunc("/bare", func(w http.ResponseWriter, r *http.Request) {
		io.WriteString(w, "7")
	})
	return all, nil
}

// servePages serves the pages on a free port, which it prints, until standard input ends.
func servePages(url string) error {
	pages, err := sessionPages(url)
	if err != nil {
		return err
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	fmt.Println(listener.Addr().(*net.TCPAddr).Port)
	go http.Serve(listener, pages)
	_, err = io.Copy(io.Discard, os.Stdin)
	return err
}

// countAllocations prints the number and the bytes of the allocations for a request of each of
// three pages: without a session, reading one, and writing one.
func countAllocations(url string) error {
	pages, err := sessionPages(url)
	if err != nil {
		return err
	}
	ask := func(path, cookie string) *httptest.ResponseRecorder {
		request := httptest.NewRequest("GET", path, nil)
		request.Header.Set("Cookie", cookie)
		answer := httptest.NewRecorder()
		pages.ServeHTTP(answer, request)
		return answer
	}
	cookie, _, _ := strings.Cut(ask("/begin", "").Header().Get("Set-Cookie"), ";")
	const requests = 500
	for _, path := range []string{"/bare", "/read", "/write"} {
		var before, after runtime.MemStats
		for n := 0; n < 50+requests; n++ {
			if n == 50 { // statements are prepared, and buffers grown
				runtime.ReadMemStats(&before)
			}
			if answer := ask(path, cookie); answer.Code != 200 || answer.Body.Len() == 0 {
				return fmt.Errorf("%s: %d", path, answer.Code)
			}
		}
		runtime.ReadMemStats(&after)
		fmt.Println(
			float64(after.Mallocs-before.Mallocs)/requests,
			float64(after.TotalAlloc-before.TotalAlloc)/requests)
	}
	return nil
}
