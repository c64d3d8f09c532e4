package continual_test

import (
	"context"
	"crypto/aes"
	"crypto/cipher"
	"errors"
	"sync"
	"testing"

	"github.com/scrimhq/scrim/privacy/dp/continual"
	"github.com/scrimhq/scrim/store"
	"github.com/scrimhq/scrim/store/storetest"
)

func aead(key byte) continual.Sealer {
	k := make([]byte, 32)
	k[0] = key
	b, err := aes.NewCipher(k)
	if err != nil {
		panic(err)
	}
	a, err := cipher.NewGCM(b)
	if err != nil {
		panic(err)
	}
	return continual.AEAD(a)
}

// till takes charges, each key once, until it is told to refuse.
type till struct {
	mu      sync.Mutex
	charges []continual.Charge
	keys    map[string]bool
	refuse  error
}

func (l *till) Charge(_ context.Context, c continual.Charge) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.refuse != nil {
		return l.refuse
	}
	if l.keys == nil {
		l.keys = map[string]bool{}
	}
	if !l.keys[c.Key] {
		l.keys[c.Key] = true
		l.charges = append(l.charges, c)
	}
	return nil
}

// house is the streams of one directory, which can be closed and opened again.
type house struct {
	dir  string
	db   store.DB
	till *till
	opt  continual.Options
	*continual.Streams
}

func openHouse(t testing.TB) *house {
	t.Helper()
	h := &house{dir: t.TempDir(), till: &till{}}
	h.opt = continual.Options{Seal: aead(1), Charge: h.till.Charge}
	h.start(t)
	t.Cleanup(func() {
		if err := h.db.Close(); err != nil {
			t.Errorf("closing the store: %v", err)
		}
	})
	return h
}

func (h *house) start(t testing.TB) {
	t.Helper()
	var err error
	if h.db, err = storetest.Try(t, h.dir, store.Options{NoSync: true}, continual.Schema()); err != nil {
		t.Fatal(err)
	}
	h.reopen(t)
}

func (h *house) reopen(t testing.TB) {
	t.Helper()
	var err error
	if h.Streams, err = continual.Open(h.db, h.opt); err != nil {
		t.Fatal(err)
	}
}

func (h *house) restart(t testing.TB) {
	t.Helper()
	if err := h.db.Close(); err != nil {
		t.Fatal(err)
	}
	h.start(t)
}

func (h *house) create(t testing.TB, name string, p continual.Params) *continual.Stream {
	t.Helper()
	s, err := h.Create(t.Context(), name, p)
	if err != nil {
		t.Fatalf("Create() error = %v", err)
	}
	return s
}

func add(t testing.TB, s *continual.Stream, step int64, values ...int64) continual.Release {
	t.Helper()
	r, err := s.Add(t.Context(), step, values)
	if err != nil {
		t.Fatalf("Add(%d) error = %v", step, err)
	}
	if r.Step != step || r.From != 1 {
		t.Fatalf("Add(%d) = steps %d to %d", step, r.From, r.Step)
	}
	return r
}

func wantErr(t testing.TB, err, want error) {
	t.Helper()
	if !errors.Is(err, want) {
		t.Errorf("error = %v, want %v", err, want)
	}
}
