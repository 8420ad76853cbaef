package main

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/alexedwards/scs/v2"
)

// A managerAction is one call of a SessionManager in a handler.
type managerAction struct {
	Call     string `json:"call"`
	Key      string `json:"key"`
	Value    string `json:"value"`
	Token    string `json:"token"`
	Deadline int64  `json:"deadline"` // in Unix seconds
	Remember bool   `json:"remember"`
}

// managerSettings are the fields of a SessionManager that differ from scs's defaults.
type managerSettings struct {
	IdleSeconds int  `json:"idle_seconds"`
	HashTokens  bool `json:"hash_tokens"`
	Json        bool `json:"json"`
}

func (settings managerSettings) apply(manager *scs.SessionManager) {
	manager.IdleTimeout = time.Duration(settings.IdleSeconds) * time.Second
	manager.HashTokenInStore = settings.HashTokens
	if settings.Json {
		manager.Codec = jsonCodec{}
	}
}

// A jsonCodec writes rows as JSON.
type jsonCodec struct{}

type jsonRow struct {
	Deadline time.Time
	Values   map[string]interface{}
}

func (jsonCodec) Encode(deadline time.Time, values map[string]interface{}) ([]byte, error) {
	return json.Marshal(jsonRow{deadline, values})
}

func (jsonCodec) Decode(row []byte) (time.Time, map[string]interface{}, error) {
	var read jsonRow
	err := json.Unmarshal(row, &read)
	return read.Deadline, read.Values, err
}

// actInManager makes one call in a handler, and returns what the session holds afterwards.
func actInManager(asked request, manager *scs.SessionManager) (answer, error) {
	given := answer{Cookie: asked.Cookie, Values: map[string]string{}}
	var failure error
	cookies, err := visitManager(asked, manager, func(session context.Context) {
		given.Value, failure = act(asked.Action, manager, session)
		given.Status = int(manager.Status(session))
		given.Deadline = manager.Deadline(session).Unix()
		given.Remembered = manager.GetBool(session, "__rememberMe")
		for _, key := range manager.Keys(session) {
			if text, ok := manager.Get(session, key).(string); ok {
				given.Values[key] = text
			}
		}
	})
	for _, cookie := range cookies {
		given.Cookie, given.MaxAge = cookie.Value, cookie.MaxAge
	}
	if err == nil {
		err = failure
	}
	return given, err
}

func act(action managerAction, manager *scs.SessionManager, session context.Context) (string, error) {
	switch action.Call {
	case "":
	case "Put":
		manager.Put(session, action.Key, action.Value)
	case "PopString":
		return manager.PopString(session, action.Key), nil
	case "Remove":
		manager.Remove(session, action.Key)
	case "Clear":
		return "", manager.Clear(session)
	case "RenewToken":
		return "", manager.RenewToken(session)
	case "RememberMe":
		manager.RememberMe(session, action.Remember)
	case "SetDeadline":
		manager.SetDeadline(session, time.Unix(action.Deadline, 0))
	case "MergeSession":
		return "", manager.MergeSession(session, action.Token)
	case "Destroy":
		return "", manager.Destroy(session)
	default:
		return "", fmt.Errorf("no such call: %q", action.Call)
	}
	return "", nil
}
