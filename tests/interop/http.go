package main

import (
	"bytes"
	"encoding/gob"
	"errors"
	"io"
	"math/rand"
	"net/http"
	"net/http/httptest"

	"github.com/gorilla/sessions"
)

const sessionName = "session"

// makeCookie lets a gorilla CookieStore set a random session over real HTTP, and
// returns the cookie and the gob of what it holds.
func makeCookie(asked request, store *sessions.CookieStore) (string, []byte, error) {
	values := randomSession(rand.New(rand.NewSource(asked.Seed)))
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		session, _ := store.Get(r, sessionName)
		session.Values = values
		if err := session.Save(r, w); err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
		}
	}))
	defer server.Close()
	response, err := http.Get(server.URL)
	if err != nil {
		return "", nil, err
	}
	defer response.Body.Close()
	said, _ := io.ReadAll(response.Body)
	if len(response.Cookies()) != 1 {
		return "", nil, errors.New("no cookie was set: " + string(said))
	}
	var held bytes.Buffer
	err = gob.NewEncoder(&held).Encode(values)
	return response.Cookies()[0].Value, held.Bytes(), err
}

// readCookie sends a cookie to a gorilla CookieStore over real HTTP, and returns
// the values that the handler sees.
func readCookie(asked request, store *sessions.CookieStore) (map[interface{}]interface{}, error) {
	var values map[interface{}]interface{}
	var failure error
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		session, err := store.Get(r, sessionName)
		values, failure = session.Values, err
	}))
	defer server.Close()
	sent, err := http.NewRequest("GET", server.URL, nil)
	if err != nil {
		return nil, err
	}
	sent.AddCookie(&http.Cookie{Name: sessionName, Value: asked.Cookie})
	response, err := http.DefaultClient.Do(sent)
	if err != nil {
		return nil, err
	}
	response.Body.Close()
	return values, failure
}
