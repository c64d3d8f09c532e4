package witness

import (
	"bytes"
	"crypto/ed25519"
	"crypto/rand"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/scrimhq/scrim/evidence/tile"
	"github.com/scrimhq/scrim/store/storetest"
)

// serveWitness runs a witness of that name for a log.
func serveWitness(t *testing.T, name string, l Log, before func(http.ResponseWriter) bool) Peer {
	t.Helper()
	_, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	w, err := New(newDB(t), name, key, []Log{l}, Options{})
	if err != nil {
		t.Fatal(err)
	}
	h := w.Handler()
	s := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		if before == nil || before(rw) {
			h.ServeHTTP(rw, r)
		}
	}))
	t.Cleanup(s.Close)
	p, err := ParsePeer(w.Key(), s.URL)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// newCosigner gives witnesses a minute, unless the test is about their time: on a busy machine three seconds can be too short for one that is well.
func newCosigner(t *testing.T, opt CosignerOptions, peers ...Peer) *Cosigner {
	t.Helper()
	if opt.Timeout == 0 {
		opt.Timeout = time.Minute
	}
	c, err := NewCosigner(peers, opt)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func cosigned(t *testing.T, c *Cosigner, k *keeper, peers ...Peer) int {
	t.Helper()
	lines, err := c.Cosign(t.Context(), k.checkpoint(), k.prove)
	if err != nil {
		t.Fatal(err)
	}
	at, err := Cosigned(append(k.checkpoint().Note, lines...), peers)
	if err != nil {
		t.Fatal(err)
	}
	return len(at)
}

// A log in files is published with the cosignatures of two witnesses.
func TestALogIsPublishedWithCosignatures(t *testing.T) {
	_, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	l := Log{Origin: origin, Keys: []ed25519.PublicKey{key.Public().(ed25519.PublicKey)}}
	var down atomic.Bool
	one, two := serveWitness(t, "one.example", l, nil), serveWitness(t, "two.example", l, func(rw http.ResponseWriter) bool {
		if down.Load() {
			http.Error(rw, "", http.StatusBadGateway)
		}
		return !down.Load()
	})
	now := time.Now()
	c := newCosigner(t, CosignerOptions{Clock: func() time.Time { return now }}, one, two)
	log, err := tile.Open(t.TempDir(), origin, key, tile.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	publish := func() int {
		t.Helper()
		if _, err := log.Publish(t.Context(), c.Cosign); err != nil {
			t.Fatal(err)
		}
		raw, err := log.Reader().Checkpoint(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		at, err := Cosigned(raw, []Peer{one, two})
		if err != nil {
			t.Fatal(err)
		}
		return len(at)
	}
	add := func(n int) {
		for range n {
			if err := log.Append([][]byte{[]byte("leaf")}); err != nil {
				t.Fatal(err)
			}
		}
	}
	add(300)
	if n := publish(); n != 2 {
		t.Errorf("%d cosignatures, want 2", n)
	}
	add(5)
	down.Store(true)
	if n := publish(); n != 1 {
		t.Errorf("one witness is down: %d cosignatures, want 1", n)
	}
	down.Store(false)
	now = now.Add(2 * time.Second)
	if n := publish(); n != 2 { // nothing was added, and yet the second one is asked again
		t.Errorf("it is up again: %d cosignatures, want 2", n)
	}
	down.Store(true)
	if n := publish(); n != 2 {
		t.Errorf("nothing was added: %d cosignatures, want 2 as before", n)
	}
}

func TestAFreshCosignerLearnsWhereAWitnessIs(t *testing.T) {
	k := newKeeper(t, origin).grow(10)
	p := serveWitness(t, "one.example", k.log(), nil)
	if n := cosigned(t, newCosigner(t, CosignerOptions{}, p), k, p); n != 1 {
		t.Fatalf("%d cosignatures", n)
	}
	k.grow(10)
	if n := cosigned(t, newCosigner(t, CosignerOptions{}, p), k, p); n != 1 { // as after a restart: it does not know of the 10
		t.Errorf("%d cosignatures, want 1", n)
	}
}

func TestSetBackAndForkedLogsAreTold(t *testing.T) {
	for name, tc := range map[string]struct {
		do   func(*keeper) *keeper
		want error
	}{
		"set back":                 {func(k *keeper) *keeper { return k.branch(5) }, ErrAhead},
		"another end":              {func(k *keeper) *keeper { return k.branch(9, "another") }, ErrForked},
		"set back and grown again": {func(k *keeper) *keeper { return k.branch(5).grow(20) }, nil},
	} {
		t.Run(name, func(t *testing.T) {
			k := newKeeper(t, origin).grow(10)
			p := serveWitness(t, "one.example", k.log(), nil)
			cosigned(t, newCosigner(t, CosignerOptions{}, p), k, p)
			bad := tc.do(k)
			if name == "set back and grown again" {
				bad = k.branch(5, "other").grow(20)
			}
			var told []error
			c := newCosigner(t, CosignerOptions{Fault: func(_ string, err error) { told = append(told, err) }}, p)
			if n := cosigned(t, c, bad, p); n != 0 || len(told) != 1 || tc.want != nil && !errors.Is(told[0], tc.want) {
				t.Errorf("%d cosignatures, told %v, want %v", n, told, tc.want)
			}
			if all, have, want := c.Statuses(); have != 0 || want != 1 || all[0].Error == "" {
				t.Errorf("statuses %+v, %d of %d", all, have, want)
			}
		})
	}
}

func TestAMissingQuorum(t *testing.T) {
	k := newKeeper(t, origin).grow(10)
	var down atomic.Bool
	up := func(rw http.ResponseWriter) bool {
		if down.Load() {
			http.Error(rw, "", http.StatusServiceUnavailable)
		}
		return !down.Load()
	}
	one, two := serveWitness(t, "one.example", k.log(), up), serveWitness(t, "two.example", k.log(), up)
	now := time.Now()
	clock := func() time.Time { return now }
	free := newCosigner(t, CosignerOptions{Quorum: 2, Clock: clock}, one, two)
	strict := newCosigner(t, CosignerOptions{Quorum: 2, Clock: clock, Require: true}, one, two)
	if n := cosigned(t, free, k, one, two) + cosigned(t, strict, k, one, two); n != 4 {
		t.Fatalf("%d cosignatures, want 4", n)
	}
	down.Store(true)
	k.grow(1)
	if n := cosigned(t, free, k, one, two); n != 0 {
		t.Errorf("%d cosignatures, want none", n)
	}
	if _, err := strict.Cosign(t.Context(), k.checkpoint(), k.prove); !errors.Is(err, ErrQuorum) {
		t.Errorf("error %v, want ErrQuorum", err)
	}
	if _, lacking := free.Lacking(); lacking || strict.Healthy() != nil {
		t.Error("alarm within the grace")
	}
	now = now.Add(61 * time.Second)
	if _, lacking := free.Lacking(); !lacking || free.Healthy() != nil {
		t.Errorf("without require: lacking %v, healthy %v; want an alarm and releases", lacking, free.Healthy())
	}
	if err := strict.Healthy(); !errors.Is(err, ErrQuorum) {
		t.Errorf("with require: %v, want ErrQuorum", err)
	}
	down.Store(false)
	now = now.Add(2 * time.Minute)
	if n := cosigned(t, strict, k, one, two); n != 2 || strict.Healthy() != nil {
		t.Errorf("%d cosignatures, %v: it does not recover", n, strict.Healthy())
	}
	var none *Cosigner
	if none.Healthy() != nil {
		t.Error("no witnesses are configured, and yet they are missing")
	}
}

func TestHostileWitnesses(t *testing.T) {
	k := newKeeper(t, origin).grow(10)
	_, stranger := newWitness(t, newDB(t), Options{}, k.log())
	other, _ := newWitness(t, newDB(t), Options{}, k.log())
	strange, err := other.Add(t.Context(), k.request(0))
	if err != nil {
		t.Fatal(err)
	}
	size := func(s string) http.HandlerFunc {
		return func(rw http.ResponseWriter, _ *http.Request) {
			rw.Header().Set("Content-Type", "text/x.tlog.size")
			rw.WriteHeader(http.StatusConflict)
			fmt.Fprint(rw, s)
		}
	}
	for name, h := range map[string]http.HandlerFunc{
		"another's signature":   func(rw http.ResponseWriter, _ *http.Request) { _, _ = rw.Write(strange) },
		"nothing":               func(http.ResponseWriter, *http.Request) {},
		"lines that add a text": func(rw http.ResponseWriter, _ *http.Request) { fmt.Fprint(rw, "\n\nmore\n\n— x y\n") },
		"endless": func(rw http.ResponseWriter, _ *http.Request) {
			for {
				if _, err := rw.Write(bytes.Repeat([]byte("x"), 1<<16)); err != nil {
					return
				}
			}
		},
		"a size that is none":  size("many\n"),
		"a size below nothing": size("-1\n"),
		"another size each time": func() http.HandlerFunc {
			n := 0
			return func(rw http.ResponseWriter, r *http.Request) { n++; size(fmt.Sprint(n, "\n"))(rw, r) }
		}(),
		"redirect": func(rw http.ResponseWriter, r *http.Request) {
			http.Redirect(rw, r, "http://127.0.0.1:1/", http.StatusFound)
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := httptest.NewServer(h)
			defer s.Close()
			peer := stranger
			peer.URL = s.URL
			c := newCosigner(t, CosignerOptions{Timeout: time.Second}, peer)
			lines, err := c.Cosign(t.Context(), k.checkpoint(), k.prove)
			if err != nil || len(lines) != 0 {
				t.Errorf("lines %q, error %v, want nothing", lines, err)
			}
			if all, _, _ := c.Statuses(); all[0].Error == "" {
				t.Error("no trouble is told")
			}
		})
	}
}

// A witness that is slow or gone is waited for no longer than its time, and then left alone for a while.
func TestAWitnessThatHangs(t *testing.T) {
	k := newKeeper(t, origin).grow(3)
	release := make(chan struct{})
	asked := &asking{}
	s := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { <-release }))
	defer s.Close()
	defer close(release)
	_, p := newWitness(t, newDB(t), Options{}, k.log())
	p.URL = s.URL
	now := time.Now()
	c := newCosigner(t, CosignerOptions{Timeout: 200 * time.Millisecond, Client: &http.Client{Transport: asked}, Clock: func() time.Time { return now }}, p)
	for range 5 {
		cosigned(t, c, k, p)
	}
	if n := asked.Load(); n != 1 {
		t.Errorf("asked %d times in a moment, want once", n)
	}
	now = now.Add(time.Second)
	cosigned(t, c, k, p)
	if n := asked.Load(); n != 2 {
		t.Errorf("asked %d times, want once more after a second", n)
	}
}

// asking counts the questions that are sent, whether they arrive in time or not.
type asking struct{ atomic.Int64 }

func (a *asking) RoundTrip(r *http.Request) (*http.Response, error) {
	a.Add(1)
	return http.DefaultTransport.RoundTrip(r)
}

func TestACosignatureIsRefreshed(t *testing.T) {
	k := newKeeper(t, origin).grow(3)
	var asked atomic.Int64
	p := serveWitness(t, "one.example", k.log(), func(http.ResponseWriter) bool { asked.Add(1); return true })
	now := time.Now()
	c := newCosigner(t, CosignerOptions{Clock: func() time.Time { return now }}, p)
	for range 3 {
		cosigned(t, c, k, p)
	}
	if asked.Load() > 1 {
		t.Errorf("asked %d times for one checkpoint", asked.Load())
	}
	now = now.Add(11 * time.Minute)
	if cosigned(t, c, k, p); asked.Load() != 2 {
		t.Errorf("asked %d times, want a second time after ten minutes", asked.Load())
	}
}

func TestWhatWasCosignedSurvives(t *testing.T) {
	if storetest.OnPostgres() {
		t.Skip("it opens a directory twice")
	}
	k, dir := newKeeper(t, origin).grow(10), t.TempDir()
	db := storetest.OpenDir(t, dir, Schema())
	w, _ := newWitness(t, db, Options{}, k.log())
	must(t, nil, errorOf(w.Add(t.Context(), k.request(0))))
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	w, _ = newWitness(t, storetest.OpenDir(t, dir, Schema()), Options{}, k.log())
	if err := errorOf(w.Add(t.Context(), k.branch(9, "another").request(0))); !errors.Is(err, ErrConflict) {
		t.Errorf("error %v, want ErrConflict", err)
	}
	must(t, nil, errorOf(w.Add(t.Context(), k.grow(1).request(10))))
}

func TestCosignersAreChecked(t *testing.T) {
	_, p := newWitness(t, newDB(t), Options{}, newKeeper(t, origin).log())
	if _, err := NewCosigner([]Peer{p, p}, CosignerOptions{}); !errors.Is(err, ErrKey) {
		t.Errorf("one witness twice: error %v, want ErrKey", err)
	}
	if _, err := NewCosigner([]Peer{p}, CosignerOptions{Quorum: 2}); err == nil || !strings.Contains(err.Error(), "2 of 1") {
		t.Errorf("quorum of 2 of 1: error %v", err)
	}
}
