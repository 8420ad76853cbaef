package main

import (
	"net/http"
	"time"
)

// The keys of a session's values. The Rust program has the same.
const (
	userKey   = "user"   // string
	sinceKey  = "since"  // time.Time
	cartKey   = "cart"   // []string
	visitsKey = "visits" // int
	flashKey  = "_flash" // gorilla's []interface{}; []string with scs
)

const cookieName = "shop"

// A session is the session of a request, in either package.
type session interface {
	get(key string) interface{}
	put(key string, value interface{})
	addFlash(text string)
	flashes() []string
	// renew gives the session a new ID.
	renew() error
	// end ends the session.
	end() error
	// save must be called before the head of the response is written.
	save(w http.ResponseWriter, r *http.Request) error
}

func userOf(s session) string {
	user, _ := s.get(userKey).(string)
	return user
}

func cartOf(s session) []string {
	cart, _ := s.get(cartKey).([]string)
	return cart
}

// sinceOf returns the time of the login, or an empty text.
func sinceOf(s session) string {
	since, isTime := s.get(sinceKey).(time.Time)
	if !isTime {
		return ""
	}
	return since.UTC().Format("2006-01-02 15:04:05 MST")
}

// countVisit begins again at 1 if the counter is no int.
func countVisit(s session) int {
	visits, _ := s.get(visitsKey).(int)
	s.put(visitsKey, visits+1)
	return visits + 1
}

func login(s session, user string) error {
	s.put(userKey, user)
	s.put(sinceKey, time.Now().UTC().Truncate(time.Second))
	return s.renew()
}
