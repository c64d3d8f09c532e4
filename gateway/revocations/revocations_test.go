package revocations_test

import (
	"bytes"
	"context"
	"crypto"
	"crypto/ed25519"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/scrimhq/scrim/evidence/audit"
	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/gateway/revocations"
	"github.com/scrimhq/scrim/policy/capability"
	"github.com/scrimhq/scrim/policy/capability/ledger"
	"github.com/scrimhq/scrim/store"
	"github.com/scrimhq/scrim/store/storetest"
)

const (
	hospital flow.DomainID = "hospital.example"
	insurer  flow.DomainID = "insurer.example"
)

// gate is a domain's gateway, as far as lists go, behind a real HTTP server.
type gate struct {
	*revocations.Exchange
	name   flow.DomainID
	db     store.DB
	log    *audit.Log
	ledger *ledger.Ledger
	server *httptest.Server
	every  time.Duration
	closed atomic.Bool // it answers 503

	mu     sync.Mutex // guards the fields below
	peers  []*gate
	faults []error
	asked  map[string]int // by method
	hold   func(*http.Request)
}

var ids atomic.Int64

func newID() flow.ID { return flow.ID(fmt.Sprintf("%026d", ids.Add(1))) }

func open(t testing.TB, name flow.DomainID, every time.Duration, change ...func(*ledger.Options)) *gate {
	t.Helper()
	return reopen(t, storetest.Open(t, ledger.Schema(), audit.Schema()), name, every, change...)
}

func reopen(t testing.TB, db store.DB, name flow.DomainID, every time.Duration, change ...func(*ledger.Options)) *gate {
	t.Helper()
	g := &gate{name: name, db: db, every: every, asked: map[string]int{}}
	opt := ledger.Options{Domain: name, Signer: func() (string, crypto.Signer) { return "k1", keyOf(name) }}
	for _, f := range change {
		f(&opt)
	}
	var err error
	if g.ledger, err = ledger.Open(t.Context(), g.db, opt); err != nil {
		t.Fatal(err)
	}
	if g.log, err = audit.Open(t.Context(), g.db, "test/"+string(name), keyOf("log"), audit.Options{Dir: t.TempDir(), MergeDelay: time.Minute}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = g.log.Close(context.Background()) })
	g.Exchange = revocations.New(revocations.Options{
		Domain: name, Ledger: g.ledger, DB: g.db, Journal: g.log, Peers: known{g}, FlowID: newID,
		Every: func() time.Duration { return g.every },
		Fault: func(err error) {
			g.mu.Lock()
			defer g.mu.Unlock()
			g.faults = append(g.faults, err)
		},
	})
	g.server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		g.mu.Lock()
		g.asked[r.Method]++
		hold := g.hold
		g.mu.Unlock()
		if hold != nil && r.Method == http.MethodPost {
			body, _ := io.ReadAll(r.Body)
			r.Body = io.NopCloser(bytes.NewReader(body))
			hold(r)
		}
		if g.closed.Load() {
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		g.ServeHTTP(w, r)
	}))
	t.Cleanup(g.server.Close)
	return g
}

// run runs the exchanges until the test ends.
func run(t testing.TB, gates ...*gate) {
	ctx, stop := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	for _, g := range gates {
		wg.Go(func() { g.Run(ctx) })
	}
	t.Cleanup(func() { stop(); wg.Wait() })
}

func (g *gate) set(peers ...*gate) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.peers = peers
}

func pair(a, b *gate) { a.peers, b.peers = append(a.peers, b), append(b.peers, a) }

func keyOf(name flow.DomainID) ed25519.PrivateKey {
	seed := sha256.Sum256([]byte("test key of " + name))
	return ed25519.NewKeyFromSeed(seed[:])
}

// known are a gate's peers as its exchange sees them.
type known struct{ g *gate }

func (k known) All() (all []revocations.Peer) {
	k.g.mu.Lock()
	defer k.g.mu.Unlock()
	for _, p := range k.g.peers {
		all = append(all, revocations.Peer{
			Domain: p.name, List: p.server.URL + revocations.ListPath, Push: []string{p.server.URL + revocations.PushPath}, Client: p.server.Client(),
		})
	}
	return all
}

func (k known) Key(d flow.DomainID, kid string) (ed25519.PublicKey, bool) {
	return keyOf(d).Public().(ed25519.PublicKey), kid == "k1"
}

func (g *gate) revoke(t testing.TB, name string) {
	t.Helper()
	d := []ledger.Denial{{Kind: ledger.OfToken, Name: name, Until: time.Now().Add(time.Hour)}}
	if _, err := revocations.Revoke(t.Context(), g.ledger, g.log, g.name, newID(), d); err != nil {
		t.Fatal(err)
	}
}

func chain(issuer flow.DomainID, ids ...string) *capability.Verified {
	vd := &capability.Verified{Issuer: issuer}
	for i, id := range ids {
		vd.Links = append(vd.Links, capability.Link{ID: id, Depth: i, Holder: sha256.Sum256([]byte(id))})
	}
	return vd
}

// within waits for what comes by itself and returns how long it took. Where lists are asked for once an hour, what comes within a minute was sent.
func within(t testing.TB, what string, done func() bool) time.Duration {
	t.Helper()
	began := time.Now()
	for !done() {
		if time.Since(began) > time.Minute {
			t.Fatalf("%s: not within a minute", what)
		}
		time.Sleep(2 * time.Millisecond)
	}
	return time.Since(began)
}

// reasons lists what the journal says of lists, in order.
func (g *gate) reasons(t testing.TB, outcome flow.Outcome) (all []string) {
	t.Helper()
	for e, err := range audit.Entries(t.Context(), g.db, audit.Query{}) {
		if err != nil {
			t.Fatal(err)
		}
		if e.Event.Outcome == outcome {
			all = append(all, e.Event.Reason)
		}
	}
	return all
}

func (g *gate) post(t testing.TB, body []byte) int {
	t.Helper()
	res, err := http.Post(g.server.URL+revocations.PushPath, ledger.MediaType, bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	text, _ := io.ReadAll(res.Body)
	if len(body) > 100 && bytes.Contains(text, body[:50]) {
		t.Errorf("the answer repeats what was sent: %s", text)
	}
	return res.StatusCode
}

// What a domain revokes is sent to its peer's gateway, which takes some milliseconds where nothing else goes on, and the peer's open streams learn that something changed.
func TestARevocationReachesPeersByItself(t *testing.T) {
	t.Parallel()
	a, b := open(t, hospital, time.Hour), open(t, insurer, time.Hour)
	pair(a, b)
	run(t, a, b)
	root := chain(hospital, "root", "child", "grandchild")
	within(t, "the first lists", func() bool {
		return b.ledger.Revoked(root, "") == nil && a.ledger.Revoked(chain(insurer, "x"), "") == nil
	})
	changed, generation := b.ledger.Changes(), b.ledger.Generation()
	a.revoke(t, "root")
	if !errors.Is(a.ledger.Revoked(root, ""), ledger.ErrRevoked) {
		t.Fatal("a revocation that was acknowledged is not in force")
	}
	took := within(t, "the revocation", func() bool { return errors.Is(b.ledger.Revoked(root, ""), ledger.ErrRevoked) })
	t.Logf("it took %s", took)
	select {
	case <-changed:
	case <-time.After(time.Minute):
		t.Error("whoever waits for a change was not told")
	}
	if b.ledger.Generation() == generation {
		t.Error("the generation is the same, want another one")
	}
	if all := a.reasons(t, flow.Changed); len(all) < 2 || !strings.HasPrefix(all[len(all)-1], "revoked: token ") || strings.Contains(all[len(all)-1], "root") {
		t.Errorf("on record at the hospital: %q, want the revocation, by its digest", all)
	}
	if all := b.reasons(t, flow.Changed); len(all) < 2 || all[len(all)-1] != "list of revocations of hospital.example: version 2, 1 entries, 1 of them new" {
		t.Errorf("on record at the insurer: %q, want the list", all)
	}
	for i := range 20 { // one after another, and the last one counts
		a.revoke(t, fmt.Sprint("token ", i))
	}
	within(t, "the last of many", func() bool { return errors.Is(b.ledger.Revoked(chain(hospital, "token 19"), ""), ledger.ErrRevoked) })
}

// What is revoked while the list before is on its way is sent after it.
func TestARevocationDuringAPushIsSentToo(t *testing.T) {
	t.Parallel()
	a, b := open(t, hospital, time.Hour), open(t, insurer, time.Hour)
	pair(a, b)
	run(t, a, b)
	within(t, "the first list", func() bool { return b.ledger.Revoked(chain(hospital, "x"), "") == nil })
	began, goOn := make(chan struct{}), make(chan struct{})
	var once sync.Once
	b.mu.Lock()
	b.hold = func(r *http.Request) {
		once.Do(func() { close(began); <-goOn }) // the first of them has been sent, and is not answered
	}
	b.mu.Unlock()
	a.revoke(t, "x")
	<-began
	a.revoke(t, "y")
	time.Sleep(50 * time.Millisecond) // so that whoever waits for changes has seen it
	close(goOn)
	within(t, "the second", func() bool { return errors.Is(b.ledger.Revoked(chain(hospital, "y"), ""), ledger.ErrRevoked) })
}

// What was revoked while the gateway was stopped is sent when it starts.
func TestWhatWasRevokedWhileStoppedIsSentAtTheStart(t *testing.T) {
	t.Parallel()
	a, b := open(t, hospital, time.Hour), open(t, insurer, time.Hour)
	pair(a, b)
	run(t, b)
	within(t, "the first list", func() bool { return b.ledger.Revoked(chain(hospital, "x"), "") == nil })
	a.revoke(t, "x")
	run(t, a)
	within(t, "the revocation", func() bool { return errors.Is(b.ledger.Revoked(chain(hospital, "x"), ""), ledger.ErrRevoked) })
}

// A push that does not get through is tried again, and a list that was missed is asked for.
func TestAPushThatIsLostIsMadeGood(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		every time.Duration
		deaf  bool // the peer never takes a push
	}{"by another push": {time.Hour, false}, "by asking": {time.Second, true}} {
		t.Run(name, func(t *testing.T) {
			a, b := open(t, hospital, c.every), open(t, insurer, c.every)
			pair(a, b)
			run(t, a, b)
			within(t, "the first list", func() bool { return b.ledger.Revoked(chain(hospital, "x"), "") == nil })
			b.closed.Store(true)
			a.revoke(t, "x")
			within(t, "a push that fails", func() bool { b.mu.Lock(); defer b.mu.Unlock(); return b.asked[http.MethodPost] > 1 })
			if !c.deaf {
				b.closed.Store(false)
			}
			within(t, "the revocation", func() bool { return errors.Is(b.ledger.Revoked(chain(hospital, "x"), ""), ledger.ErrRevoked) })
		})
	}
}

// A peer that cannot be reached: its roots are refused when its list is too old, and accepted again when there is another one.
func TestAPeerThatIsAway(t *testing.T) {
	t.Parallel()
	strict := func(o *ledger.Options) { o.StaleAfter = 15 * time.Second } // of which a slow machine may need some for an exchange
	a, b := open(t, hospital, time.Second, strict), open(t, insurer, time.Second, strict)
	pair(a, b)
	run(t, a, b)
	vd := chain(hospital, "x")
	within(t, "the first list", func() bool { return b.ledger.Revoked(vd, "") == nil })
	a.closed.Store(true)
	within(t, "the list is too old", func() bool { return errors.Is(b.ledger.Revoked(vd, ""), ledger.ErrStale) })
	fresh := reopen(t, b.db, insurer, time.Second, strict)
	fresh.peers = b.peers
	if err := fresh.ledger.Revoked(vd, ""); !errors.Is(err, ledger.ErrStale) {
		t.Errorf("after a restart with an old list: error = %v, want ErrStale", err)
	}
	run(t, fresh)
	within(t, "the operator is told", func() bool { fresh.mu.Lock(); defer fresh.mu.Unlock(); return len(fresh.faults) > 0 })
	if err := fresh.ledger.Revoked(vd, ""); !errors.Is(err, ledger.ErrStale) {
		t.Errorf("while the peer is away: error = %v, want ErrStale", err)
	}
	a.closed.Store(false)
	for _, l := range []*ledger.Ledger{b.ledger, fresh.ledger} {
		within(t, "another list", func() bool { return l.Revoked(vd, "") == nil })
	}
	fresh.mu.Lock()
	defer fresh.mu.Unlock()
	if n := len(fresh.faults); n != 1 {
		t.Errorf("the operator was told %d times that the peer is away, want once: %v", n, fresh.faults)
	}
}

func TestPushesThatAreRefused(t *testing.T) {
	t.Parallel()
	a, b := open(t, hospital, time.Hour), open(t, insurer, time.Hour)
	b.peers = []*gate{a}
	list := func(g *gate) []byte {
		l, err := g.ledger.List()
		if err != nil {
			t.Fatal(err)
		}
		return l
	}
	old := list(a)
	a.revoke(t, "x")
	stranger := open(t, "stranger.example", time.Hour)
	thief := open(t, hospital, time.Hour, func(o *ledger.Options) {
		o.Signer = func() (string, crypto.Signer) { return "k1", keyOf("thief") }
	})
	for _, c := range []struct {
		name   string
		body   []byte
		want   int
		record string
	}{
		{"a peer's", list(a), http.StatusNoContent, ""},
		{"the same again", list(a), http.StatusNoContent, ""},
		{"an older one", old, http.StatusConflict, "older than the one that is known"},
		{"a stranger's", list(stranger), http.StatusForbidden, "no peer"},
		{"our own", list(b), http.StatusForbidden, ""},
		{"signed by another", list(thief), http.StatusForbidden, "does not verify"},
		{"nothing", nil, http.StatusBadRequest, "has not its form"},
		{"noise", bytes.Repeat([]byte("x"), 5000), http.StatusBadRequest, ""},
		{"too large", append(list(a), bytes.Repeat([]byte("A"), ledger.MaxList)...), http.StatusRequestEntityTooLarge, "larger than allowed"},
	} {
		if got := b.post(t, c.body); got != c.want {
			t.Errorf("%s: status %d, want %d", c.name, got, c.want)
		}
		all := b.reasons(t, flow.Refused)
		if c.record != "" && (len(all) == 0 || !strings.Contains(all[len(all)-1], c.record)) {
			t.Errorf("%s: on record is %q, want %q at the end", c.name, all, c.record)
		}
	}
	if err := b.ledger.Revoked(chain(hospital, "x"), ""); !errors.Is(err, ledger.ErrRevoked) {
		t.Errorf("Revoked() error = %v, want ErrRevoked: nothing of this took back what came first", err)
	}
	n := len(b.reasons(t, flow.Refused))
	for range 100 {
		b.post(t, list(stranger))
	}
	if more := len(b.reasons(t, flow.Refused)) - n; more != 0 {
		t.Errorf("a hundred strangers' lists within a minute are %d rows more, want none", more)
	}
	for _, c := range []struct{ method, path string }{{http.MethodPut, revocations.ListPath}, {http.MethodGet, revocations.PushPath}} {
		req, err := http.NewRequest(c.method, b.server.URL+c.path, nil)
		if err != nil {
			t.Fatal(err)
		}
		res, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		res.Body.Close()
		if res.StatusCode != http.StatusMethodNotAllowed {
			t.Errorf("%s %s got %d, want 405", c.method, c.path, res.StatusCode)
		}
	}
}

// Somebody who only claims to be a peer, and so has its lists turned away for a while, does not keep the peer's word from coming.
func TestWhoPretendsToBeAPeerHoldsNothingUp(t *testing.T) {
	t.Parallel()
	a, b := open(t, hospital, time.Hour), open(t, insurer, time.Hour)
	pair(a, b)
	run(t, a, b)
	within(t, "the first list", func() bool { return b.ledger.Revoked(chain(hospital, "x"), "") == nil })
	thief := open(t, hospital, time.Hour, func(o *ledger.Options) {
		o.Signer = func() (string, crypto.Signer) { return "k1", keyOf("thief") }
	})
	forged, err := thief.ledger.List()
	if err != nil {
		t.Fatal(err)
	}
	var away atomic.Int64
	ctx, stop := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	wg.Go(func() {
		for ctx.Err() == nil {
			if b.post(t, forged) == http.StatusTooManyRequests {
				away.Add(1)
			}
			time.Sleep(5 * time.Millisecond)
		}
	})
	within(t, "a list of the pretender that is turned away unread", func() bool { return away.Load() > 0 })
	a.revoke(t, "x")
	took := within(t, "the revocation", func() bool { return errors.Is(b.ledger.Revoked(chain(hospital, "x"), ""), ledger.ErrRevoked) })
	stop()
	wg.Wait()
	t.Logf("it took %s; %d forged lists were not read", took, away.Load())
}

// A peer that answers with another domain's list, with nothing of the kind, or without end.
func TestAnswersThatAreNoListOfThePeer(t *testing.T) {
	t.Parallel()
	a, other := open(t, hospital, time.Hour), open(t, "other.example", time.Hour)
	foreign, err := other.ledger.List()
	if err != nil {
		t.Fatal(err)
	}
	for name, answer := range map[string]http.HandlerFunc{
		"another domain's":           func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(foreign) },
		"has not its form":           func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "<html>") },
		"larger than allowed":        func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(make([]byte, ledger.MaxList+5)) },
		"it answers with status 404": http.NotFound,
		"it answers with status 302": func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/elsewhere", http.StatusFound) },
	} {
		t.Run(name, func(t *testing.T) {
			b := open(t, insurer, time.Hour)
			srv := httptest.NewServer(answer)
			t.Cleanup(srv.Close)
			b.peers = []*gate{{name: a.name, server: srv}}
			srv.Client().CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
			run(t, b)
			within(t, "the operator is told", func() bool {
				b.mu.Lock()
				defer b.mu.Unlock()
				return slices.ContainsFunc(b.faults, func(err error) bool { return strings.Contains(err.Error(), name) })
			})
			if err := b.ledger.Revoked(chain(hospital, "x"), ""); !errors.Is(err, ledger.ErrStale) {
				t.Errorf("Revoked() error = %v, want ErrStale", err)
			}
		})
	}
}

// A peer that was removed and added again may begin anew; while it is none, its roots are refused.
func TestAPeerThatWasRemoved(t *testing.T) {
	t.Parallel()
	a, b := open(t, hospital, time.Hour), open(t, insurer, time.Hour)
	pair(a, b)
	a.revoke(t, "x")
	run(t, b)
	within(t, "the first list", func() bool { return errors.Is(b.ledger.Revoked(chain(hospital, "x"), ""), ledger.ErrRevoked) })
	b.set()
	within(t, "the removal", func() bool { return errors.Is(b.ledger.Revoked(chain(hospital, "x"), ""), ledger.ErrStale) })
	b.set(open(t, hospital, time.Hour)) // which has revoked nothing
	within(t, "the new one's list", func() bool { return b.ledger.Revoked(chain(hospital, "x"), "") == nil })
}

func TestADomainWithoutAKeyHasNoList(t *testing.T) {
	t.Parallel()
	a := open(t, "home", time.Hour, func(o *ledger.Options) { o.Signer = func() (string, crypto.Signer) { return "", nil } })
	res, err := http.Get(a.server.URL + revocations.ListPath)
	if err != nil {
		t.Fatal(err)
	}
	res.Body.Close()
	if res.StatusCode != http.StatusNotFound {
		t.Errorf("got %d, want 404", res.StatusCode)
	}
	b := open(t, hospital, time.Hour)
	res, err = http.Get(b.server.URL + revocations.ListPath)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	body, _ := io.ReadAll(res.Body)
	if d, err := ledger.IssuerOf(body); res.StatusCode != http.StatusOK || d != hospital || err != nil || res.Header.Get("Content-Type") != "application/scrim-deny+jwt" {
		t.Errorf("got %d, %q of %s", res.StatusCode, res.Header.Get("Content-Type"), d)
	}
}
