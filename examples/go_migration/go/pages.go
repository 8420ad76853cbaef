package main

import (
	_ "embed"
	"fmt"
	"html/template"
	"log"
	"net/http"
	"strings"
)

//go:embed page.html
var pageHTML string

var pageTemplate = template.Must(template.New("page").Parse(pageHTML))

// A page is what the template shows.
type page struct {
	Side, Other string // the first part of the path, and that of the other page
	Store       string
	Flashes     []string
	User, Since string
	Cart        string
	Visits      int
	Types       string
}

// sides are the first parts of the paths that have moved to Rust, and of those that have not. If the
// proxy sends all routes to this program, it serves both.
var sides = []string{"go", "rust"}

// pages returns the routes.
func pages(opened shop) http.Handler {
	mux := http.NewServeMux()
	slow := newSlowSaves()
	for _, side := range sides {
		route := func(method, path string, handle func(http.ResponseWriter, *http.Request, session)) {
			mux.Handle(method+" /"+side+path, opened.with(handle))
		}
		route("GET", "/{$}", showPage(opened.name()))
		route("POST", "/login", change(func(r *http.Request, s session) error {
			return login(s, textOf(r, "name", "stranger"))
		}))
		route("POST", "/logout", change(func(r *http.Request, s session) error { return s.end() }))
		route("POST", "/cart", change(func(r *http.Request, s session) error {
			s.put(cartKey, append(cartOf(s), textOf(r, "item", "banana")))
			return nil
		}))
		route("POST", "/flash", flashForOther)
		route("POST", "/slow", change(func(r *http.Request, s session) error {
			slow.wait(r)
			s.put(cartKey, append(cartOf(s), "saved slowly"))
			return nil
		}))
	}
	mux.HandleFunc("GET /go/slow", slow.count)
	mux.HandleFunc("POST /go/slow/finish", slow.finish)
	mux.Handle("GET /{$}", http.RedirectHandler("/go/", http.StatusFound))
	return mux
}

// change returns a handler that changes the session, saves it, and goes back to the page.
func change(apply func(*http.Request, session) error) func(http.ResponseWriter, *http.Request, session) {
	return func(w http.ResponseWriter, r *http.Request, s session) {
		err := apply(r, s)
		if err == nil {
			err = s.save(w, r)
		}
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		http.Redirect(w, r, "/"+sideOf(r)+"/", http.StatusSeeOther)
	}
}

// flashForOther sets a message, and goes to the other page, which shows it once.
func flashForOther(w http.ResponseWriter, r *http.Request, s session) {
	s.addFlash("A message from Go, shown once.")
	if err := s.save(w, r); err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	http.Redirect(w, r, "/"+otherSide(r)+"/", http.StatusSeeOther)
}

func sideOf(r *http.Request) string {
	return strings.Split(r.URL.Path, "/")[1]
}

func otherSide(r *http.Request) string {
	if sideOf(r) == "rust" {
		return "go"
	}
	return "rust"
}

// textOf returns a field of a form, or a default text if it is empty.
func textOf(r *http.Request, field, fallback string) string {
	text := []rune(strings.TrimSpace(r.FormValue(field)))
	if len(text) == 0 {
		return fallback
	}
	return string(text[:min(len(text), 40)])
}

// showPage returns the handler of the page, which counts its visits.
func showPage(store string) func(http.ResponseWriter, *http.Request, session) {
	return func(w http.ResponseWriter, r *http.Request, s session) {
		shown := page{
			Side:    sideOf(r),
			Other:   otherSide(r),
			Store:   store,
			Visits:  countVisit(s),
			Flashes: s.flashes(),
			User:    userOf(s),
			Since:   sinceOf(s),
			Cart:    strings.Join(cartOf(s), ", "),
			Types:   typesOf(s),
		}
		if err := s.save(w, r); err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		w.Header().Set("Cache-Control", "no-store")
		if err := pageTemplate.Execute(w, shown); err != nil {
			log.Print("the page: ", err)
		}
	}
}

// typesOf returns the Go types of the session's values.
func typesOf(s session) string {
	var types []string
	for _, key := range []string{userKey, sinceKey, cartKey, visitsKey} {
		if value := s.get(key); value != nil {
			types = append(types, fmt.Sprintf("%s %T", key, value))
		}
	}
	return strings.Join(types, ", ")
}
