package main

import (
	"context"
	"time"

	"github.com/alexedwards/scs/v2"
	clientv3 "go.etcd.io/etcd/client/v3"
)

// etcdStore is a port of scs's etcdstore, a few lines written anew: the module proxy refuses the module
// itself (github.com/alexedwards/scs/etcdstore). It makes the same calls of etcd's client v3, in the
// same order, with two exceptions. An error of Grant is returned; the original uses the lease all the
// same, and panics. Every call has a context that ends.
type etcdStore struct {
	client *clientv3.Client
	prefix string
}

func (store *etcdStore) Find(token string) ([]byte, bool, error) {
	ctx, cancel := etcdContext()
	defer cancel()
	found, err := store.client.Get(ctx, store.prefix+token)
	if err != nil || len(found.Kvs) == 0 {
		return nil, false, err
	}
	return found.Kvs[0].Value, true, nil
}

func (store *etcdStore) Commit(token string, b []byte, expiry time.Time) error {
	ctx, cancel := etcdContext()
	defer cancel()
	lease, err := store.client.Grant(ctx, int64(time.Until(expiry).Seconds()))
	if err != nil {
		return err
	}
	_, err = store.client.Put(ctx, store.prefix+token, string(b), clientv3.WithLease(lease.ID))
	return err
}

// Delete leaves the lease.
func (store *etcdStore) Delete(token string) error {
	ctx, cancel := etcdContext()
	defer cancel()
	_, err := store.client.Delete(ctx, store.prefix+token)
	return err
}

func (store *etcdStore) All() (map[string][]byte, error) {
	ctx, cancel := etcdContext()
	defer cancel()
	found, err := store.client.Get(ctx, store.prefix, clientv3.WithPrefix())
	if err != nil {
		return nil, err
	}
	all := make(map[string][]byte)
	for _, row := range found.Kvs {
		all[string(row.Key)[len(store.prefix):]] = row.Value
	}
	return all, nil
}

func etcdContext() (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.Background(), 30*time.Second)
}

var etcdClients = map[string]*clientv3.Client{}

// etcdStoreOf returns the etcdstore of a server.
func etcdStoreOf(address string) (scs.Store, error) {
	client := etcdClients[address]
	if client == nil {
		var err error
		client, err = clientv3.New(clientv3.Config{Endpoints: []string{address}})
		if err != nil {
			return nil, err
		}
		etcdClients[address] = client
	}
	return &etcdStore{client, "scs:session:"}, nil
}
