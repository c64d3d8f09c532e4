package bundles_test

import (
	"bytes"
	"context"
	"crypto"
	"crypto/ed25519"
	"crypto/sha256"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/fstest"
	"time"

	"github.com/scrimhq/scrim/evidence/audit"
	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/gateway/bundles"
	"github.com/scrimhq/scrim/policy"
	"github.com/scrimhq/scrim/policy/bundle"
	"github.com/scrimhq/scrim/store"
	"github.com/scrimhq/scrim/store/storetest"
)

const (
	hospital flow.DomainID = "hospital.example"
	insurer  flow.DomainID = "insurer.example"
)

func keyOf(name string) ed25519.PrivateKey {
	seed := sha256.Sum256([]byte(name))
	return ed25519.NewKeyFromSeed(seed[:])
}

// world is a publisher and a subscriber with clocks that the test moves. The subscriber looks when it is told to.
type world struct {
	t         *testing.T
	now       time.Time
	publisher *bundles.Exchange
	server    *httptest.Server
	serve     func(http.ResponseWriter, *http.Request) bool // before the publisher; true: it answered
	key       string                                        // of the publisher

	db         store.DB
	subscriber *bundles.Exchange
	said       journal
	set        *policy.Set
	changes    atomic.Int64 // which a running exchange makes on two goroutines
	failing    error
}

// journal remembers what is appended by transactions.
type journal struct {
	mu  sync.Mutex
	all []string
}

func (j *journal) Append(_ store.Tx, ev flow.Event, _ audit.Private) (flow.Receipt, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.all = append(j.all, fmt.Sprintf("%s %s: %s", ev.Outcome, ev.Flow.From.Domain, ev.Reason))
	return flow.Receipt{}, nil
}

type party struct {
	w   *world
	own flow.DomainID
}

func (p party) Key(d flow.DomainID, kid string) (ed25519.PublicKey, bool) {
	if d == hospital && kid == p.w.key || d == "other.example" && kid == "other" {
		return keyOf(kid).Public().(ed25519.PublicKey), true
	}
	return nil, false
}

func (p party) Own() (crypto.Signer, string) {
	if p.own == hospital {
		return keyOf(p.w.key), p.w.key
	}
	return keyOf("insurer"), "insurer"
}

func (p party) Gateways(d flow.DomainID) ([]string, *http.Client) {
	if d != hospital && d != "other.example" {
		return nil, nil
	}
	return []string{p.w.server.URL}, p.w.server.Client()
}

func content(text string, more ...bundle.Label) bundle.Content {
	return bundle.Content{Policies: text, Labels: more}
}

const noTraining = "forbid (principal, action == Action::\"train\", resource);\n"

func published(c bundle.Content, to ...flow.DomainID) bundles.Settings {
	return bundles.Settings{Publish: []bundles.Published{{Name: "baseline", Content: c, Life: 24 * time.Hour, To: to}}}
}

func subscribed(edit ...func(*bundles.Subscription)) bundles.Settings {
	s := bundles.Subscription{Domain: hospital, Name: "baseline", Late: bundle.DroppedAcross}
	for _, f := range edit {
		f(&s)
	}
	return bundles.Settings{Subscribe: []bundles.Subscription{s}}
}

const id = "hospital.example/baseline"

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{t: t, now: time.Date(2026, 5, 4, 12, 0, 0, 0, time.UTC), key: "k1"}
	clock := func() time.Time { return w.now }
	ids := 0
	newID := func() flow.ID { ids++; return flow.ID(fmt.Sprintf("%026d", ids)) }
	var err error
	w.publisher, err = bundles.Open(t.Context(), bundles.Options{
		Domain: hospital, DB: storetest.Open(t, bundles.Schema()), Journal: &w.said, Peers: party{w, hospital}, FlowID: newID, Clock: clock,
	}, published(content(noTraining)))
	if err != nil {
		t.Fatal(err)
	}
	served := w.publisher.Handler(func(*http.Request) (flow.DomainID, error) { return insurer, nil })
	w.server = httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		if w.serve == nil || !w.serve(rw, r) {
			served.ServeHTTP(rw, r)
		}
	}))
	t.Cleanup(w.server.Close)
	w.set, err = policy.Load(fstest.MapFS{}, policy.Options{})
	if err != nil {
		t.Fatal(err)
	}
	w.db = storetest.Open(t, bundles.Schema())
	w.subscriber = w.open(newID)
	return w
}

func (w *world) open(newID func() flow.ID) *bundles.Exchange {
	w.t.Helper()
	x, err := bundles.Open(w.t.Context(), bundles.Options{
		Domain: insurer, DB: w.db, Journal: &w.said, Peers: party{w, insurer}, FlowID: newID, Clock: func() time.Time { return w.now },
	}, subscribed())
	if err != nil {
		w.t.Fatal(err)
	}
	x.Attach(func(b *bundle.Bundle) ([]string, error) {
		idle, err := w.set.CheckOutside(b.Outside())
		var unknown []string
		for _, m := range idle {
			unknown = append(unknown, m.String())
		}
		return unknown, err
	}, func(context.Context) error {
		if w.failing != nil {
			return w.failing
		}
		w.changes.Add(1)
		x.Running(x.Held())
		return nil
	})
	return x
}

func (w *world) publish(c bundle.Content) *bundle.Bundle {
	w.t.Helper()
	w.publisher.Configure(published(c))
	b, err := w.publisher.Publish(w.t.Context(), "baseline")
	if err != nil {
		w.t.Fatal(err)
	}
	return b
}

func (w *world) look() error { return w.subscriber.Look(w.t.Context(), id) }

// holds is the version that is held, and what holds beside it.
func (w *world) holds() string {
	h := w.subscriber.Held()[0]
	text := "nothing"
	if h.Bundle != nil {
		text = fmt.Sprintf("version %d", h.Bundle.Version)
	}
	if h.Late != nil {
		text += ", late: " + h.Late.String()
	}
	return text
}

func (w *world) want(what, holds string) {
	w.t.Helper()
	if got := w.holds(); got != holds {
		w.t.Errorf("%s: %s holds, want %s", what, got, holds)
	}
}

func (w *world) refused(what string, rule bundle.Rule) {
	w.t.Helper()
	err := w.look()
	if !errors.Is(err, &bundle.Error{Rule: rule}) {
		w.t.Errorf("%s: error = %v, want rule %s", what, err, rule)
	}
	if last := w.said.all[len(w.said.all)-1]; !strings.Contains(last, "refused hospital.example: bundle baseline: "+string(rule)) {
		w.t.Errorf("%s: on record is %q", what, last)
	}
}

func level(l flow.Level) bundle.Label { return bundle.Label{Label: "health", Level: &l} }

// TestABundleIsPublishedAndKeptTo follows three versions from one domain to another, with what both have on record.
func TestABundleIsPublishedAndKeptTo(t *testing.T) {
	w := newWorld(t)
	w.want("before any came", "nothing, late: dropped")
	if err := w.look(); !errors.Is(err, bundles.ErrFetch) {
		t.Errorf("nothing is published, error = %v", err)
	}
	first := w.publish(content(noTraining))
	if err := w.look(); err != nil {
		t.Fatal(err)
	}
	w.want("the first", "version 1")
	if _, err := w.publisher.Publish(t.Context(), "baseline"); !errors.Is(err, bundles.ErrUnchanged) {
		t.Errorf("published again, error = %v", err)
	}
	w.publish(content(noTraining, level(flow.Generalized)))
	third := w.publish(content(noTraining, level(flow.Masked)))
	if err := w.look(); err != nil {
		t.Fatal(err)
	}
	w.want("the third, over the second", "version 3")
	if got := w.subscriber.Held()[0].Bundle; got.Digest() != third.Digest() || w.changes.Load() != 2 {
		t.Errorf("another digest is held than was published, or it was not put in force: %d changes", w.changes.Load())
	}
	all := strings.Join(w.said.all, "\n")
	for _, line := range []string{
		"changed hospital.example: bundle baseline: version 1 is published, digest " + first.Digest().String(),
		"changed hospital.example: bundle baseline: version 1 is kept to, digest " + first.Digest().String(),
		"changed hospital.example: bundle baseline: version 3 is kept to, digest " + third.Digest().String() + ", after version 1",
	} {
		if !strings.Contains(all, line) {
			t.Errorf("not on record: %s\n%s", line, all)
		}
	}
	w.subscriber = w.open(func() flow.ID { return "x" })
	w.want("after a restart", "version 3")
}

// TestNobodyTurnsABundleBack serves what an attacker, or a publisher with two minds, might.
func TestNobodyTurnsABundleBack(t *testing.T) {
	w := newWorld(t)
	w.publish(content(noTraining))
	two := w.publish(content(noTraining, level(flow.Masked)))
	if err := w.look(); err != nil {
		t.Fatal(err)
	}
	answer := func(edit func(b *bundle.Bundle), kid string) {
		w.serve = func(rw http.ResponseWriter, r *http.Request) bool {
			b := *two
			b.Issued, b.Expires = w.now, w.now.Add(time.Hour)
			edit(&b)
			text, err := b.Sign(kid, keyOf(kid))
			if err != nil {
				t.Error(err)
			}
			_, _ = rw.Write(text)
			return true
		}
	}
	for _, c := range []struct {
		name string
		edit func(b *bundle.Bundle)
		kid  string
		rule bundle.Rule
	}{
		{"the first version", func(b *bundle.Bundle) { b.Version, b.Previous, b.Labels = 1, bundle.Digest{}, nil }, "k1", bundle.RuleRollback},
		{"another second version", func(b *bundle.Bundle) { b.Labels = nil }, "k1", bundle.RuleFork},
		{"a third after another second", func(b *bundle.Bundle) { b.Version, b.Previous = 3, bundle.Digest{1} }, "k1", bundle.RuleFork},
		{"a third signed with a key of nobody", func(b *bundle.Bundle) { b.Version, b.Previous = 3, two.Digest() }, "k9", bundle.RuleKey},
		{"another domain's", func(b *bundle.Bundle) { b.Issuer = "other.example" }, "other", bundle.RuleIssuer},
		{"another bundle", func(b *bundle.Bundle) { b.Name = "others" }, "k1", bundle.RuleName},
		{"one that has ended", func(b *bundle.Bundle) {
			b.Version, b.Previous, b.Issued, b.Expires = 3, two.Digest(), w.now.Add(-time.Hour), w.now
		}, "k1", bundle.RuleExpired},
		{"one of tomorrow", func(b *bundle.Bundle) {
			b.Version, b.Previous, b.Issued, b.Expires = 3, two.Digest(), w.now.Add(time.Hour), w.now.Add(2*time.Hour)
		}, "k1", bundle.RuleFuture},
		{"one that opens", func(b *bundle.Bundle) {
			b.Version, b.Previous, b.Policies = 3, two.Digest(), `permit (principal, action in Action::"upto_raw", resource);`
		}, "k1", bundle.RulePolicy},
	} {
		answer(c.edit, c.kid)
		w.refused(c.name, c.rule)
		w.want(c.name, "version 2")
	}
	before := len(w.said.all)
	for range 3 {
		_ = w.look()
	}
	if n := len(w.said.all) - before; n != 0 {
		t.Errorf("the same refusal is on record %d times more", n)
	}
	w.serve = func(rw http.ResponseWriter, _ *http.Request) bool {
		_, _ = rw.Write(bytes.Repeat([]byte("a"), bundle.MaxText+10))
		return true
	}
	w.refused("one that is too large", bundle.RuleSize)
	w.want("after all of them", "version 2")
}

// TestAGapIsNoticed hides a version that lies between.
func TestAGapIsNoticed(t *testing.T) {
	w := newWorld(t)
	w.publish(content(noTraining))
	if err := w.look(); err != nil {
		t.Fatal(err)
	}
	for i := range 4 {
		w.publish(content(noTraining + strings.Repeat(" ", i+1)))
	}
	hidden := "/4"
	w.serve = func(rw http.ResponseWriter, r *http.Request) bool {
		if strings.HasSuffix(r.URL.Path, hidden) {
			http.NotFound(rw, r)
			return true
		}
		return false
	}
	w.refused("the fourth version is hidden", bundle.RuleGap)
	w.want("with a gap", "version 1")
	w.serve = nil
	if err := w.look(); err != nil {
		t.Fatal(err)
	}
	w.want("without one", "version 5")
}

// TestALongChainIsFollowedInParts publishes more versions than one look follows.
func TestALongChainIsFollowedInParts(t *testing.T) {
	w := newWorld(t)
	w.publish(content(noTraining))
	if err := w.look(); err != nil {
		t.Fatal(err)
	}
	for i := range 70 {
		w.publish(content(noTraining + strings.Repeat(" ", i+1)))
	}
	w.refused("more than one look follows", bundle.RuleGap)
	if err := w.look(); err != nil {
		t.Fatal(err)
	}
	w.want("after another look", "version 71")
}

// TestWhatIsLateHoldsStrictly lets time pass, forwards and back.
func TestWhatIsLateHoldsStrictly(t *testing.T) {
	w := newWorld(t)
	w.publish(content(noTraining))
	if err := w.look(); err != nil {
		t.Fatal(err)
	}
	w.now = w.now.Add(24*time.Hour - time.Second)
	w.want("until its end", "version 1")
	w.now = w.now.Add(time.Second)
	w.want("at its end", "version 1, late: dropped")
	if err := w.look(); err != nil {
		t.Fatal(err)
	}
	w.want("signed again", "version 1")
	w.now = w.now.Add(-time.Hour)
	w.want("with a clock that was set back", "version 1, late: dropped")
	if err := w.look(); err != nil {
		t.Fatalf("looking by a clock that was set back: %v", err)
	}
	w.subscriber.Configure(subscribed(func(s *bundles.Subscription) { s.MaxAge = time.Hour }))
	w.now = w.now.Add(time.Hour)
	if err := w.look(); err != nil {
		t.Fatal(err)
	}
	w.now = w.now.Add(59 * time.Minute)
	w.want("heard of an hour ago", "version 1")
	w.now = w.now.Add(2 * time.Minute)
	w.want("heard of too long ago", "version 1, late: dropped")
	if err := w.look(); err != nil {
		t.Fatal(err)
	}
	w.want("heard of again", "version 1")
	w.now = w.now.Add(time.Second)
	w.server.Close()
	if err := w.look(); !errors.Is(err, bundles.ErrFetch) {
		t.Errorf("its domain is away, error = %v", err)
	}
	w.want("its domain is away", "version 1")
}

func TestAPeersOldSignatureIsNoRollback(t *testing.T) {
	w := newWorld(t)
	b := *w.publish(content(noTraining))
	if err := w.look(); err != nil {
		t.Fatal(err)
	}
	w.serve = func(rw http.ResponseWriter, _ *http.Request) bool {
		b.Issued = b.Issued.Add(-time.Minute)
		text, err := b.Sign("k1", keyOf("k1"))
		if err != nil {
			t.Error(err)
		}
		_, _ = rw.Write(text)
		return true
	}
	if err := w.look(); err != nil {
		t.Errorf("another gateway's signature: %v", err)
	}
}

func TestKeysThatRotate(t *testing.T) {
	w := newWorld(t)
	w.publish(content(noTraining))
	if err := w.look(); err != nil {
		t.Fatal(err)
	}
	w.publish(content(noTraining + " "))
	w.publish(content(noTraining + "  "))
	w.key = "k2" // what k1 signed counts no longer
	if err := w.look(); err != nil {
		t.Fatalf("after a rotation: %v", err)
	}
	w.want("after a rotation", "version 3")
}

func TestWhatIsNotKnownCanBeRefused(t *testing.T) {
	w := newWorld(t)
	w.publish(content("forbid (principal in Role::\"robot\", action in Action::\"atleast_raw\", resource);"))
	w.subscriber.Configure(subscribed(func(s *bundles.Subscription) { s.Refuse = true }))
	w.refused("a role that is not known", bundle.RulePolicy)
	w.want("refused", "nothing, late: dropped")
	w.subscriber.Configure(subscribed())
	if err := w.look(); err != nil {
		t.Fatal(err)
	}
	if drift := w.subscriber.Drift(); !slices.ContainsFunc(drift, func(s string) bool { return strings.Contains(s, `role "robot" is not known`) }) {
		t.Errorf("drift = %v", drift)
	}
}

func TestDriftIsTold(t *testing.T) {
	w := newWorld(t)
	has := func(x *bundles.Exchange, what string) {
		t.Helper()
		if drift := x.Drift(); (what == "") != (len(drift) == 0) || what != "" && !strings.Contains(strings.Join(drift, "\n"), what) {
			t.Errorf("drift = %q, want %q", drift, what)
		}
	}
	has(w.publisher, "own baseline: it was not published yet")
	has(w.subscriber, id+": late: no version came yet; dropped holds")
	w.publish(content(noTraining))
	has(w.publisher, "")
	if err := w.look(); err != nil {
		t.Fatal(err)
	}
	has(w.subscriber, "")
	w.publish(content(noTraining + " "))
	w.failing = errors.New("cannot be built")
	if err := w.look(); !errors.Is(err, w.failing) {
		t.Errorf("error = %v", err)
	}
	has(w.subscriber, id+": version 2 was taken, and version 1 runs")
	w.publisher.Configure(published(content("")))
	has(w.publisher, "own baseline: configuration says something else than version 2")
	w.publisher.Configure(bundles.Settings{})
	has(w.publisher, "own baseline: version 2 was published, and configuration has the bundle no longer")
}

func TestWhoMayReadABundle(t *testing.T) {
	w := newWorld(t)
	w.publish(content(noTraining))
	w.publisher.Configure(published(content(noTraining), insurer))
	ask := func(peer flow.DomainID, err error, method, path string) (int, string) {
		rec := httptest.NewRecorder()
		w.publisher.Handler(func(*http.Request) (flow.DomainID, error) { return peer, err }).ServeHTTP(rec, httptest.NewRequest(method, path, nil))
		return rec.Code, rec.Body.String()
	}
	stranger := errors.New("no certificate")
	_, missing := ask(insurer, nil, "GET", bundle.Path+"nothing")
	for _, c := range []struct {
		name, method, path string
		peer               flow.DomainID
		err                error
		want               int
	}{
		{"a peer", "GET", "baseline", insurer, nil, 200},
		{"a peer asks for a version", "GET", "baseline/1", insurer, nil, 200},
		{"a version that is not there", "GET", "baseline/2", insurer, nil, 404},
		{"a number that is none", "GET", "baseline/01", insurer, nil, 404},
		{"another peer", "GET", "baseline", "other.example", nil, 404},
		{"nobody", "GET", "baseline", "", stranger, 404},
		{"a path below", "GET", "baseline/1/x", insurer, nil, 404},
		{"a peer writes", "POST", "baseline", insurer, nil, 405},
	} {
		code, body := ask(c.peer, c.err, c.method, bundle.Path+c.path)
		if code != c.want || code == 404 && body != missing {
			t.Errorf("%s: %d %q", c.name, code, body)
		}
	}
}

// TestTwoGatewaysPublishOneChain has two gateways share a store.
func TestTwoGatewaysPublishOneChain(t *testing.T) {
	w := newWorld(t)
	w.publish(content(noTraining))
	db := storetest.Open(t, bundles.Schema())
	open := func() *bundles.Exchange {
		x, err := bundles.Open(t.Context(), bundles.Options{
			Domain: hospital, DB: db, Journal: &w.said, Peers: party{w, hospital}, FlowID: func() flow.ID { return "x" }, Clock: func() time.Time { return w.now },
		}, bundles.Settings{})
		if err != nil {
			t.Fatal(err)
		}
		return x
	}
	a, b := open(), open()
	var all []*bundle.Bundle
	for i := range 6 {
		x := []*bundles.Exchange{a, b}[i%2]
		x.Configure(published(content(noTraining + strings.Repeat(" ", i))))
		v, err := x.Publish(t.Context(), "baseline")
		if err != nil {
			t.Fatal(err)
		}
		if v.Version != int64(i+1) || i > 0 && v.Follows(all[i-1]) != nil {
			t.Errorf("version %d does not follow: %v", v.Version, v.Follows(all[i-1]))
		}
		all = append(all, v)
	}
	for i, x := range []*bundles.Exchange{a, b} { // what one published the other serves, and both show the same
		rw := httptest.NewRecorder()
		x.Handler(func(*http.Request) (flow.DomainID, error) { return insurer, nil }).ServeHTTP(rw, httptest.NewRequest(http.MethodGet, bundle.Path+"baseline", nil))
		got, err := bundle.Parse(rw.Body.Bytes(), party{w, insurer})
		if err != nil || got.Version != 6 {
			t.Errorf("gateway %d serves %+v, %v, want version 6", i, got, err)
		}
	}
}

func TestForgettingIsLateAndOnRecord(t *testing.T) {
	w := newWorld(t)
	w.publish(content(noTraining))
	w.publish(content(noTraining + " "))
	if err := w.look(); err != nil {
		t.Fatal(err)
	}
	if err := w.subscriber.Forget(t.Context(), hospital, "baseline"); err != nil {
		t.Fatal(err)
	}
	w.want("forgotten", "version 2, late: dropped")
	if last := w.said.all[len(w.said.all)-1]; last != "changed hospital.example: bundle baseline: version 2 is forgotten" {
		t.Errorf("on record is %q", last)
	}
	if err := w.subscriber.Forget(t.Context(), hospital, "baseline"); !errors.Is(err, bundles.ErrUnknown) {
		t.Errorf("forgotten twice: %v", err)
	}
	w.subscriber = w.open(func() flow.ID { return "x" })
	w.want("forgotten, after a restart", "version 2, late: dropped")
}

// TestAChainThatBeginsAnewIsTakenOnceTheOldOneIsForgotten has a publisher lose its versions, before two gateways on one store, and one of them told to forget.
func TestAChainThatBeginsAnewIsTakenOnceTheOldOneIsForgotten(t *testing.T) {
	w := newWorld(t)
	w.publish(content(noTraining))
	w.publish(content(noTraining, level(flow.Masked)))
	other := w.open(func() flow.ID { return "y" })
	for _, x := range []*bundles.Exchange{w.subscriber, other} {
		if err := x.Look(t.Context(), id); err != nil {
			t.Fatal(err)
		}
	}
	lost := newWorld(t)
	lost.now = w.now.Add(time.Minute)
	lost.publish(content(noTraining + " "))
	w.now = lost.now
	w.server = lost.server
	w.refused("not forgotten", bundle.RuleRollback)
	if err := w.subscriber.Forget(t.Context(), hospital, "baseline"); err != nil {
		t.Fatal(err)
	}
	if err := other.Look(t.Context(), id); err != nil {
		t.Errorf("the other gateway, after one was told to forget: %v", err)
	}
	if err := w.look(); err != nil {
		t.Fatal(err)
	}
	w.want("the new chain", "version 1")
	for _, x := range []*bundles.Exchange{other, w.subscriber} {
		if h := x.Held()[0]; h.Late != nil || h.Bundle.Version != 1 {
			t.Errorf("version %d, late %v", h.Bundle.Version, h.Late)
		}
	}
}

// TestWhatAnotherGatewayTookHoldsHere has two gateways on one store, of which one reaches the peer no more.
func TestWhatAnotherGatewayTookHoldsHere(t *testing.T) {
	w := newWorld(t)
	w.publish(content(noTraining))
	other := w.open(func() flow.ID { return "y" })
	for _, x := range []*bundles.Exchange{w.subscriber, other} {
		if err := x.Look(t.Context(), id); err != nil {
			t.Fatal(err)
		}
	}
	w.publish(content(noTraining, level(flow.Masked)))
	if err := other.Look(t.Context(), id); err != nil {
		t.Fatal(err)
	}
	w.serve = func(rw http.ResponseWriter, _ *http.Request) bool { rw.WriteHeader(http.StatusBadGateway); return true }
	if err := w.look(); !errors.Is(err, bundles.ErrFetch) {
		t.Errorf("the peer cannot be reached: %v", err)
	}
	w.want("taken by another gateway", "version 2")
}

// TestBundlesAreLookedFor runs an exchange as a gateway does.
func TestBundlesAreLookedFor(t *testing.T) {
	w := newWorld(t)
	w.publish(content(noTraining))
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { defer close(done); w.subscriber.Run(ctx, func(err error) { t.Error(err) }) }()
	for w.subscriber.Late() > 0 && t.Context().Err() == nil {
		time.Sleep(5 * time.Millisecond)
	}
	stop()
	<-done
	w.want("by itself", "version 1")
}
