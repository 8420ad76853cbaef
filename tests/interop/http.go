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
	"github.com/savaki/dynastore"
)

const sessionName = "session"

// makeCookie sets a random session in a gorilla store over real HTTP, and returns the cookie and
// the gob of its values.
func makeCookie(asked request, store sessions.Store) (string, []byte, error) {
	r := rand.New(rand.NewSource(asked.Seed))
	values := randomSession
	if stock {
		values = basicSession
	}
	return putCookie(values(r), store)
}

// putCookie sets a session in a gorilla store over real HTTP, and returns the cookie and the gob of
// its values.
func putCookie(values map[interface{}]interface{}, store sessions.Store) (string, []byte, error) {
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

// readCookie sends a cookie to a gorilla store over real HTTP, and returns the values in the
// handler.
func readCookie(asked request, store sessions.Store) (map[interface{}]interface{}, error) {
	var values map[interface{}]interface{}
	_, err := visit(asked, store, func(session *sessions.Session) bool {
		values = session.Values
		return false
	})
	return values, err
}

// editCookie sends a cookie to a gorilla store over real HTTP, adds a value in the handler, and
// returns the new cookie.
func editCookie(asked request, store sessions.Store) (string, error) {
	cookies, err := visit(asked, store, func(session *sessions.Session) bool {
		session.Values["go"] = "was here"
		return true
	})
	if err != nil {
		return "", err
	}
	if len(cookies) == 0 && asked.Table == dynastore.DefaultTableName {
		return asked.Cookie, nil // the store sets a cookie only for new sessions
	}
	if len(cookies) != 1 {
		return "", errors.New("no cookie was set")
	}
	return cookies[0].Value, nil
}

// visit sends a cookie over real HTTP to a handler, saves the session if the handler returns true,
// and returns the cookies of the response.
func visit(asked request, store sessions.Store, handle func(*sessions.Session) bool) ([]*http.Cookie, error) {
	var failure error
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		session, err := store.Get(r, sessionName)
		failure = err
		if err == nil && handle(session) {
			failure = session.Save(r, w)
		}
	}))
	defer server.Close()
	cookies, err := get(server.URL, asked.Cookie)
	return cookies, errors.Join(failure, err)
}

// get sends a cookie, if there is one, and returns the cookies of the response.
func get(url, cookie string) ([]*http.Cookie, error) {
	sent, err := http.NewRequest("GET", url, nil)
	if err != nil {
		return nil, err
	}
	if cookie != "" {
		sent.AddCookie(&http.Cookie{Name: sessionName, Value: cookie})
	}
	response, err := http.DefaultClient.Do(sent)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	_, err = io.Copy(io.Discard, response.Body)
	return response.Cookies(), err
}

// changeSession sends a cookie to a gorilla store over real HTTP, applies the requested change in
// the handler, and returns the cookie and the strings of the session.
func changeSession(asked request, store sessions.Store) (answer, error) {
	given := answer{Cookie: asked.Cookie, Values: map[string]string{}}
	wants := asked.Change
	cookies, err := visit(asked, store, func(session *sessions.Session) bool {
		for key, value := range wants.Set {
			session.Values[key] = value
		}
		for _, key := range wants.Unset {
			delete(session.Values, key)
		}
		if wants.End {
			session.Options.MaxAge = -1
		}
		for key, value := range session.Values {
			if text, ok := value.(string); ok {
				given.Values[key.(string)] = text
			}
		}
		return wants.End || len(wants.Set)+len(wants.Unset) > 0
	})
	for _, cookie := range cookies {
		given.Cookie = cookie.Value
	}
	return given, err
}
