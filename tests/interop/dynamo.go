package main

import (
	"encoding/base32"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go/aws"
	"github.com/aws/aws-sdk-go/aws/credentials"
	"github.com/aws/aws-sdk-go/aws/session"
	"github.com/aws/aws-sdk-go/service/dynamodb"
	"github.com/gorilla/securecookie"
	"github.com/gorilla/sessions"
	"github.com/savaki/dynastore"
)

// month is the lifetime of a session in pratikju/dynamostore.
const month = 86400 * 30

// newTableStore returns the requested store of sessions in a table of DynamoDB.
func newTableStore(asked request, codecs []securecookie.Codec) (sessions.Store, error) {
	config := aws.Config{
		Region:      aws.String("us-east-1"),
		Endpoint:    aws.String(asked.Endpoint),
		Credentials: credentials.NewStaticCredentials("test", "test", ""),
	}
	connected, err := session.NewSession(&config)
	if err != nil {
		return nil, err
	}
	client := dynamodb.New(connected)
	for _, codec := range codecs {
		codec.(*securecookie.SecureCookie).MaxLength(0)
	}
	if asked.Table == dynastore.DefaultTableName {
		return dynastore.New(dynastore.DynamoDB(client), dynastore.Codecs(codecs...), dynastore.MaxAge(month))
	}
	return &dynamoStore{client, asked.Table, codecs}, nil
}

// A dynamoStore replaces pratikju/dynamostore, which is not available as a module: it makes the
// same items with the same requests.
type dynamoStore struct {
	client *dynamodb.DynamoDB
	table  string
	codecs []securecookie.Codec
}

func (s *dynamoStore) Get(r *http.Request, name string) (*sessions.Session, error) {
	return sessions.GetRegistry(r).Get(s, name)
}

func (s *dynamoStore) New(r *http.Request, name string) (*sessions.Session, error) {
	made := sessions.NewSession(s, name)
	made.Options = &sessions.Options{Path: "/", MaxAge: month}
	made.IsNew = true
	cookie, err := r.Cookie(name)
	if err != nil {
		return made, nil
	}
	if err := securecookie.DecodeMulti(name, cookie.Value, &made.ID, s.codecs...); err != nil {
		return made, err
	}
	found, err := s.client.GetItem(&dynamodb.GetItemInput{TableName: &s.table, Key: s.key(made.ID)})
	if err != nil || found.Item["data"] == nil {
		return made, err
	}
	ttl, err := strconv.ParseInt(*found.Item["ttl"].N, 10, 64)
	if err != nil || ttl != 0 && ttl < time.Now().Unix() {
		return made, err
	}
	err = securecookie.DecodeMulti(name, *found.Item["data"].S, &made.Values, s.codecs...)
	made.IsNew = err != nil
	return made, err
}

func (s *dynamoStore) Save(r *http.Request, w http.ResponseWriter, saved *sessions.Session) error {
	if saved.Options.MaxAge <= 0 {
		_, err := s.client.DeleteItem(&dynamodb.DeleteItemInput{TableName: &s.table, Key: s.key(saved.ID)})
		http.SetCookie(w, sessions.NewCookie(saved.Name(), "", saved.Options))
		return err
	}
	if saved.ID == "" {
		random := securecookie.GenerateRandomKey(32)
		saved.ID = strings.TrimRight(base32.StdEncoding.EncodeToString(random), "=")
	}
	data, err := securecookie.EncodeMulti(saved.Name(), saved.Values, s.codecs...)
	if err != nil {
		return err
	}
	item := s.key(saved.ID)
	item["data"] = &dynamodb.AttributeValue{S: &data}
	item["modified_at"] = number(time.Now().Unix())
	item["ttl"] = number(time.Now().Unix() + int64(saved.Options.MaxAge))
	if _, err := s.client.PutItem(&dynamodb.PutItemInput{TableName: &s.table, Item: item}); err != nil {
		return err
	}
	id, err := securecookie.EncodeMulti(saved.Name(), saved.ID, s.codecs...)
	if err != nil {
		return err
	}
	http.SetCookie(w, sessions.NewCookie(saved.Name(), id, saved.Options))
	return nil
}

func (s *dynamoStore) key(id string) map[string]*dynamodb.AttributeValue {
	return map[string]*dynamodb.AttributeValue{"id": {S: &id}}
}

func number(n int64) *dynamodb.AttributeValue {
	return &dynamodb.AttributeValue{N: aws.String(strconv.FormatInt(n, 10))}
}
