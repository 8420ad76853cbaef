package main

import (
	"fmt"
	"net/http"
	"sync"
	"time"
)

// slowSaves are requests that have loaded their session and wait before they save it.
type slowSaves struct {
	mutex   sync.Mutex
	waiting int
	release chan struct{} // closed when the wait is over
}

func newSlowSaves() *slowSaves {
	return &slowSaves{release: make(chan struct{})}
}

// wait ends after 10 seconds, or when finish is called.
func (s *slowSaves) wait(r *http.Request) {
	s.mutex.Lock()
	s.waiting++
	release := s.release
	s.mutex.Unlock()
	select {
	case <-release:
	case <-time.After(10 * time.Second):
	case <-r.Context().Done():
	}
	s.mutex.Lock()
	s.waiting--
	s.mutex.Unlock()
}

// count answers with the number of requests that wait.
func (s *slowSaves) count(w http.ResponseWriter, _ *http.Request) {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	w.Header().Set("Cache-Control", "no-store")
	fmt.Fprint(w, s.waiting)
}

func (s *slowSaves) finish(http.ResponseWriter, *http.Request) {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	close(s.release)
	s.release = make(chan struct{})
}
