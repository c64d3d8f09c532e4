package identity

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"slices"
	"sync"
	"time"

	"github.com/go-jose/go-jose/v4"
)

// Bounds of key sets.
const (
	maxKeySet   = 256 << 10        // bytes
	maxKeys     = 64               // in a set; the rest is not looked at
	refreshTime = 10 * time.Minute // a set is fetched again after
	staleTime   = time.Hour        // a set is no longer believed after, if it cannot be fetched again
	retryTime   = 30 * time.Second // the least time between two fetches, whatever tokens come
	fileTime    = time.Second      // the same for a file
	fetchTime   = 5 * time.Second  // the most time that a fetch may take
)

// keySource has the keys of one issuer, fetched when they are needed.
type keySource struct {
	load  func(context.Context) ([]byte, error)
	retry time.Duration
	fresh time.Duration // how long a set needs no look
	now   func() time.Time

	fetching sync.Mutex // held while loading, so that one fetch serves all

	mu     sync.Mutex // guards the fields below
	keys   []jose.JSONWebKey
	loaded time.Time // of the last success
	tried  time.Time
}

func newKeySource(in Issuer, client *http.Client, now func() time.Time) (*keySource, error) {
	s := &keySource{retry: retryTime, fresh: refreshTime, now: now}
	ways := 0
	for _, there := range []bool{in.File != "", in.URL != "", in.Discover} {
		if there {
			ways++
		}
	}
	var err error
	switch {
	case ways != 1:
		err = errors.New("exactly one of file, url and discovery is needed")
	case in.File != "":
		s.load, s.retry, s.fresh = fileLoader(in.File), fileTime, fileTime
	case in.Discover:
		s.load, err = discovered(in.Issuer, in.KeyHosts, client)
	default:
		_, err = fetchable(in.URL)
		s.load = func(ctx context.Context) ([]byte, error) {
			return fetch(ctx, client, in.URL, "application/jwk-set+json, application/json")
		}
	}
	return s, err
}

func loopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

func fileLoader(path string) func(context.Context) ([]byte, error) {
	return func(context.Context) ([]byte, error) {
		f, err := os.Open(path)
		if err != nil {
			return nil, err
		}
		defer f.Close()
		return bounded(f)
	}
}

// fetch gets a document of an issuer. Redirects are not followed: they would let whoever answers name another host.
func fetch(ctx context.Context, client *http.Client, address, accept string) ([]byte, error) {
	var c http.Client
	if client != nil {
		c = *client
	}
	c.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return nil, err
	}
	req.Header.Set("Accept", accept)
	resp, err := c.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("the issuer answers with status %d", resp.StatusCode)
	}
	return bounded(resp.Body)
}

func bounded(r io.Reader) ([]byte, error) {
	b, err := io.ReadAll(io.LimitReader(r, maxKeySet+1))
	if err == nil && len(b) > maxKeySet {
		return nil, errors.New("the key set is too big")
	}
	return b, err
}

// get returns the keys. It loads them where there are none, where they are due, and where none has the id, but never
// more often than the source allows: a stranger's tokens cannot make the gateway knock at an issuer's door.
func (s *keySource) get(ctx context.Context, id string) ([]jose.JSONWebKey, error) {
	keys, age, may := s.state()
	known := id == "" && len(keys) > 0 || slices.ContainsFunc(keys, func(k jose.JSONWebKey) bool { return k.KeyID == id })
	if known && age < s.fresh {
		return keys, nil
	}
	if may {
		s.refresh(ctx, known)
		keys, age, _ = s.state()
	}
	if len(keys) == 0 || age > staleTime {
		return nil, ErrUnavailable
	}
	return keys, nil
}

// state returns the keys, their age, and whether they may be loaded now.
func (s *keySource) state() (keys []jose.JSONWebKey, age time.Duration, may bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.now()
	return s.keys, now.Sub(s.loaded), s.tried.IsZero() || now.Sub(s.tried) >= s.retry
}

// refresh loads the keys. A caller that can do with what there is does not wait for another's fetch.
func (s *keySource) refresh(ctx context.Context, known bool) {
	if known {
		if !s.fetching.TryLock() {
			return
		}
	} else {
		s.fetching.Lock()
	}
	defer s.fetching.Unlock()
	if _, _, may := s.state(); !may { // another has just done it
		return
	}
	// One caller who goes away must not spoil the fetch for the others.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), fetchTime)
	defer cancel()
	raw, err := s.load(ctx)
	var keys []jose.JSONWebKey
	if err == nil {
		keys, err = readKeys(raw)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.tried = s.now()
	if err == nil {
		s.keys, s.loaded = keys, s.tried
	}
}

// readKeys returns the public keys of a set that can verify signatures. What else is in the set is passed over, so that
// a key of a new kind does not lock everybody out.
func readKeys(raw []byte) ([]jose.JSONWebKey, error) {
	var set struct {
		Keys []json.RawMessage `json:"keys"`
	}
	if err := json.Unmarshal(raw, &set); err != nil {
		return nil, errors.New("the key set is not JSON")
	}
	var keys []jose.JSONWebKey
	for _, k := range set.Keys[:min(len(set.Keys), maxKeys)] {
		var key jose.JSONWebKey
		if key.UnmarshalJSON(k) == nil && key.Valid() && key.IsPublic() {
			keys = append(keys, key)
		}
	}
	if len(keys) == 0 {
		return nil, errors.New("the key set has no public key")
	}
	return keys, nil
}
