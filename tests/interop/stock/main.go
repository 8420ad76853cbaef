// Command stock is a program with alexedwards/scs that registers no types with gob: it reads a JSON
// request from each line, and writes a JSON answer in a line. (gorilla/sessions, which registers a
// type of its own, must not be linked in.)
package main

import (
	"bufio"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"time"

	"github.com/alexedwards/scs/v2"
	"github.com/alexedwards/scs/v2/memstore"
)

const token = "dG9rZW4gb2YgdGhpcnR5LXR3byByYW5kb20gYnl0ZXM"

// A request contains the row of a session, in hex.
type request struct {
	Row string `json:"row"`
}

// An answer contains the row after a visit that added a value, the type of each value, and the
// error, if there was one.
type answer struct {
	Row    string            `json:"payload,omitempty"`
	Types  map[string]string `json:"values,omitempty"`
	Error  string            `json:"error,omitempty"`
	Status int               `json:"status"`
}

func main() {
	in := bufio.NewScanner(os.Stdin)
	in.Buffer(nil, 1<<24)
	for in.Scan() {
		var asked request
		if err := json.Unmarshal(in.Bytes(), &asked); err != nil {
			fmt.Fprintln(os.Stderr, "stock: no request:", err)
			os.Exit(2)
		}
		given, err := visit(asked)
		if err != nil {
			given.Error = err.Error()
		}
		line, err := json.Marshal(given)
		if err != nil {
			fmt.Fprintln(os.Stderr, "stock:", err)
			os.Exit(2)
		}
		fmt.Println(string(line))
	}
}

// visit serves one request of the session over real HTTP.
func visit(asked request) (answer, error) {
	row, err := hex.DecodeString(asked.Row)
	if err != nil {
		return answer{}, err
	}
	manager := scs.New()
	store := memstore.NewWithCleanupInterval(0)
	manager.Store = store
	if err := store.Commit(token, row, time.Now().Add(time.Hour)); err != nil {
		return answer{}, err
	}
	given := answer{Types: map[string]string{}}
	var failure error
	manager.ErrorFunc = func(w http.ResponseWriter, r *http.Request, err error) {
		failure = err
		http.Error(w, "", http.StatusInternalServerError)
	}
	server := httptest.NewServer(manager.LoadAndSave(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		for _, key := range manager.Keys(r.Context()) {
			given.Types[key] = fmt.Sprintf("%T", manager.Get(r.Context(), key))
		}
		manager.Put(r.Context(), "go", "was here")
	})))
	defer server.Close()
	sent, err := http.NewRequest("GET", server.URL, nil)
	if err != nil {
		return answer{}, err
	}
	sent.AddCookie(&http.Cookie{Name: manager.Cookie.Name, Value: token})
	response, err := http.DefaultClient.Do(sent)
	if err != nil {
		return answer{}, err
	}
	response.Body.Close()
	given.Status = response.StatusCode
	after, found, err := store.Find(token)
	if err == nil && !found {
		err = errors.New("the session is gone")
	}
	given.Row = hex.EncodeToString(after)
	return given, errors.Join(failure, err)
}
