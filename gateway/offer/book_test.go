package offer_test

import (
	"bytes"
	"context"
	"crypto"
	"crypto/ed25519"
	"errors"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/scrimhq/scrim/evidence/audit"
	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/gateway"
	"github.com/scrimhq/scrim/gateway/offer"
	"github.com/scrimhq/scrim/policy/contract"
	"github.com/scrimhq/scrim/store"
	"github.com/scrimhq/scrim/store/storetest"
)

// world is a set of domains whose gateways reach each other.
type world struct {
	mu   sync.Mutex
	now  time.Time
	keys map[flow.DomainID]ed25519.PrivateKey
	side map[flow.DomainID]*side
	down map[flow.DomainID]bool // their gateways do not answer
	lost map[flow.DomainID]bool // they answer, and nobody hears it

	proxy map[flow.DomainID]func(http.ResponseWriter) // something else answers at their addresses
}

// side is one domain with its book.
type side struct {
	*offer.Book
	w      *world
	name   flow.DomainID
	db     store.DB
	dir    string
	log    *audit.Log
	bounds []offer.Bound
	sent   [][]byte // what it sent, as an eavesdropper has it
}

func newWorld(t testing.TB, names ...flow.DomainID) *world {
	w := &world{now: time.Date(2026, 11, 27, 9, 0, 0, 0, time.UTC), keys: map[flow.DomainID]ed25519.PrivateKey{}, side: map[flow.DomainID]*side{}, down: map[flow.DomainID]bool{}, lost: map[flow.DomainID]bool{}, proxy: map[flow.DomainID]func(http.ResponseWriter){}}
	for i, n := range names {
		w.keys[n] = ed25519.NewKeyFromSeed(bytes.Repeat([]byte{byte(i + 1)}, 32))
		s := &side{w: w, name: n, dir: t.TempDir()}
		w.side[n] = s
		s.open(t)
		t.Cleanup(func() { s.close(t) })
	}
	return w
}

func (s *side) open(t testing.TB) {
	t.Helper()
	ctx := context.Background()
	var err error
	s.db, err = storetest.Try(t, s.dir, store.Options{NoSync: true}, audit.Schema(), offer.Schema())
	must(t, err)
	s.log, err = audit.Open(ctx, s.db, "scrim.dev/log/"+string(s.name), s.w.keys[s.name], audit.Options{Dir: filepath.Join(s.dir, "log"), MergeDelay: time.Minute})
	must(t, err)
	s.Book, err = offer.OpenBook(ctx, offer.BookOptions{
		Domain: s.name, DB: s.db, Journal: s.log, Domains: domains{s.w, s.name}, Send: s.send, Clock: s.w.clock,
		Bounds: func() []offer.Bound { return s.bounds }, Fault: func(err error) { t.Logf("%s: %v", s.name, err) },
	})
	must(t, err)
}

func (s *side) close(t testing.TB) {
	if s.db != nil {
		must(t, s.log.Close(context.Background()))
		must(t, s.db.Close())
		s.db = nil
	}
}

func (w *world) clock() time.Time { w.mu.Lock(); defer w.mu.Unlock(); return w.now }

func (w *world) wait(d time.Duration) { w.mu.Lock(); defer w.mu.Unlock(); w.now = w.now.Add(d) }

type domains struct {
	w   *world
	own flow.DomainID
}

func (d domains) Key(of flow.DomainID, kid string) (ed25519.PublicKey, bool) {
	k, ok := d.w.keys[of]
	if !ok || kid != "k1" {
		return nil, false
	}
	return k.Public().(ed25519.PublicKey), true
}

func (d domains) Own() (crypto.Signer, string) { return d.w.keys[d.own], "k1" }

func (d domains) Pinned(of flow.DomainID) bool { _, ok := d.w.keys[of]; return ok && of != d.own }

// send posts to the other side's handler, over a connection that shows the sender's certificate.
func (s *side) send(ctx context.Context, peer flow.DomainID, body []byte) (int, []byte, error) {
	s.sent = append(s.sent, bytes.Clone(body))
	if s.w.down[peer] {
		return 0, nil, errors.New("no route")
	}
	rec := httptest.NewRecorder()
	if answer := s.w.proxy[peer]; answer != nil {
		answer(rec)
		return rec.Code, rec.Body.Bytes(), nil
	}
	s.w.side[peer].Handler(func(*http.Request) (flow.DomainID, error) { return s.name, nil }).ServeHTTP(rec, httptest.NewRequestWithContext(ctx, http.MethodPost, offer.ContractsPath, bytes.NewReader(body)))
	if s.w.lost[peer] {
		return 0, nil, errors.New("broke off")
	}
	return rec.Code, rec.Body.Bytes(), nil
}

// post is an eavesdropper who sends something again, without a certificate.
func (w *world) post(to flow.DomainID, body []byte) (int, string) {
	rec := httptest.NewRecorder()
	w.side[to].Handler(func(*http.Request) (flow.DomainID, error) { return "", nil }).ServeHTTP(rec, httptest.NewRequest(http.MethodPost, offer.ContractsPath, bytes.NewReader(body)))
	return rec.Code, strings.TrimSpace(rec.Body.String())
}

func (w *world) draft() offer.Draft {
	return offer.Draft{
		Name: "prior-auth", Purposes: []flow.Purpose{"billing"}, Expires: w.clock().Add(30 * 24 * time.Hour),
		Ours:   offer.Side{Agents: []flow.AgentID{"intake"}, Levels: map[flow.Label]flow.Level{"person": flow.Tokenized, "person/birth-date": flow.Generalized}},
		Theirs: offer.Side{Levels: map[flow.Label]flow.Level{"*": flow.Raw}},
	}
}

// turned is the draft as the other side writes it.
func turned(d offer.Draft) offer.Draft { d.Ours, d.Theirs = d.Theirs, d.Ours; d.Name = ""; return d }

func (s *side) state(t testing.TB, negotiation string) offer.State {
	t.Helper()
	e, ok := s.Entry(negotiation)
	if !ok {
		return ""
	}
	return e.State
}

func bill(from, to flow.DomainID) *flow.Flow {
	return &flow.Flow{From: flow.Party{Agent: "intake", Domain: from}, To: flow.Party{Agent: "claims", Domain: to}, Purpose: "billing"}
}

func (s *side) bound(f *flow.Flow) int { return len(s.InForce(f, s.w.clock())) }

func (s *side) reasons(t testing.TB) (out []string) {
	t.Helper()
	must(t, s.db.View(context.Background(), func(tx store.Tx) error {
		rows, err := tx.Query("SELECT event FROM audit_entries ORDER BY seq")
		if err != nil {
			return err
		}
		defer rows.Close()
		for rows.Next() {
			var ev string
			if err := rows.Scan(&ev); err != nil {
				return err
			}
			_, rest, _ := strings.Cut(ev, `"reason":"`)
			reason, _, _ := strings.Cut(rest, `"`)
			out = append(out, reason)
		}
		return rows.Err()
	}))
	return out
}

// Offer, counter-offer, acceptance: then both are bound by the same bytes, and both journals tell the story.
func TestTwoDomainsAgreeInTurns(t *testing.T) {
	ctx := context.Background()
	w := newWorld(t, "hospital", "insurer")
	h, i := w.side["hospital"], w.side["insurer"]
	first, err := h.Propose(ctx, "insurer", w.draft())
	must(t, err)
	n := first.Signed.Contract.Negotiation
	h.Deliver(ctx)
	if h.state(t, n) != offer.Offered || i.state(t, n) != offer.Waiting {
		t.Fatalf("after the offer: %s, %s", h.state(t, n), i.state(t, n))
	}
	narrower := w.draft()
	narrower.Ours.Levels = map[flow.Label]flow.Level{"person": flow.Masked, "person/birth-date": flow.Generalized}
	_, err = i.Counter(ctx, n, turned(narrower))
	must(t, err)
	i.Deliver(ctx)
	e, _ := h.Entry(n)
	if e.State != offer.Waiting || e.Signed.Contract.Version != 2 {
		t.Fatalf("after the counter-offer: %s, version %d", e.State, e.Signed.Contract.Version)
	}
	if _, err := h.Accept(ctx, n, first.Signed.Contract.ID()); !errors.Is(err, offer.ErrOther) {
		t.Errorf("accepting the first offer: %v, want ErrOther", err)
	}
	if h.bound(bill("hospital", "insurer"))+i.bound(bill("hospital", "insurer")) != 0 {
		t.Error("an offer binds before it is agreed on")
	}
	_, err = h.Accept(ctx, n, e.Signed.Contract.ID())
	must(t, err)
	h.Deliver(ctx)
	a, _ := h.Entry(n)
	b, _ := i.Entry(n)
	if a.State != offer.Agreed || b.State != offer.Agreed || !bytes.Equal(a.Signed.Bytes(), b.Signed.Bytes()) || !a.Signed.Agreed() {
		t.Fatalf("agreed: %s and %s, alike %v", a.State, b.State, bytes.Equal(a.Signed.Bytes(), b.Signed.Bytes()))
	}
	for _, s := range []*side{h, i} {
		if s.bound(bill("hospital", "insurer")) != 1 || s.bound(bill("insurer", "hospital")) != 0 {
			t.Errorf("%s: the flows that are bound are not those of the contract", s.name)
		}
	}
	if got, want := h.reasons(t), []string{"contract offered, version 1", "contract offered, version 2", "contract accepted", "contract agreed"}; !slices.Equal(got, want) {
		t.Errorf("the hospital's journal says %q, want %q", got, want)
	}
	if got, want := i.reasons(t), []string{"contract offered, version 1", "contract offered, version 2", "contract agreed"}; !slices.Equal(got, want) {
		t.Errorf("the insurer's journal says %q, want %q", got, want)
	}
	h.close(t)
	h.open(t)
	if h.bound(bill("hospital", "insurer")) != 1 {
		t.Error("the contract is gone after a restart")
	}
	w.wait(31 * 24 * time.Hour)
	if h.bound(bill("hospital", "insurer")) != 0 {
		t.Error("an expired contract binds")
	}
	w.wait(2 * 24 * time.Hour)
	must(t, h.Sweep(ctx))
	if h.state(t, n) != "" {
		t.Error("an expired contract is kept for ever")
	}
	if status, _ := w.post("hospital", b.Signed.Bytes()); status != http.StatusBadRequest || h.state(t, n) != "" {
		t.Errorf("an expired contract is taken again: status %d", status)
	}
}

// agreement brings two domains to an agreement and returns the negotiation.
func agreement(t testing.TB, w *world) string {
	t.Helper()
	ctx := context.Background()
	e, err := w.side["hospital"].Propose(ctx, "insurer", w.draft())
	must(t, err)
	w.side["hospital"].Deliver(ctx)
	n := e.Signed.Contract.Negotiation
	_, err = w.side["insurer"].Accept(ctx, n, e.Signed.Contract.ID())
	must(t, err)
	w.side["insurer"].Deliver(ctx)
	if w.side["hospital"].state(t, n) != offer.Agreed || w.side["insurer"].state(t, n) != offer.Agreed {
		t.Fatal("no agreement")
	}
	return n
}

func TestACounterOfferThatWidensIsRefused(t *testing.T) {
	ctx := context.Background()
	w := newWorld(t, "hospital", "insurer")
	e, err := w.side["hospital"].Propose(ctx, "insurer", w.draft())
	must(t, err)
	w.side["hospital"].Deliver(ctx)
	n := e.Signed.Contract.Negotiation
	wider := w.draft()
	wider.Ours.Levels = map[flow.Label]flow.Level{"person": flow.Raw}
	if _, err := w.side["insurer"].Counter(ctx, n, turned(wider)); !errors.Is(err, &contract.Error{Rule: contract.RuleWidens}) {
		t.Errorf("the own side lets a wider offer out: %v", err)
	}
	// An insurer whose gateway does not keep to the rules signs one all the same.
	next := e.Signed.Contract.Next()
	next.Parties[0].Gives.Levels["person"] = flow.Raw
	lie, err := contract.Offer(next, contract.Signer{Domain: "insurer", Key: w.keys["insurer"], KeyID: "k1"})
	must(t, err)
	if status, body := w.post("hospital", lie.Bytes()); status != http.StatusBadRequest || !strings.Contains(body, "widens") {
		t.Errorf("a wider offer is answered %d %s", status, body)
	}
	if s := w.side["hospital"].state(t, n); s != offer.Offered {
		t.Errorf("the negotiation is %s after it", s)
	}
	if got := w.side["hospital"].reasons(t); got[len(got)-1] != "contract widens levels" {
		t.Errorf("on record is %q", got)
	}
}

// What was ended stays so, whoever sends again what was sent before.
func TestWhatIsEndedCannotBePlayedAgain(t *testing.T) {
	for _, by := range []flow.DomainID{"hospital", "insurer"} {
		ctx := context.Background()
		w := newWorld(t, "hospital", "insurer")
		n := agreement(t, w)
		_, err := w.side[by].Withdraw(ctx, n)
		must(t, err)
		if w.side[by].bound(bill("hospital", "insurer")) != 0 {
			t.Errorf("%s: what it withdrew still binds", by)
		}
		w.side[by].Deliver(ctx)
		for _, to := range []flow.DomainID{"hospital", "insurer"} {
			for _, from := range []flow.DomainID{"hospital", "insurer"} {
				for _, body := range w.side[from].sent {
					w.post(to, body)
				}
			}
			if s := w.side[to].state(t, n); s != offer.Ended || w.side[to].bound(bill("hospital", "insurer")) != 0 {
				t.Errorf("ended by %s, and at %s it is %s and binds", by, to, s)
			}
			w.side[to].close(t)
			w.side[to].open(t)
			if s := w.side[to].state(t, n); s != offer.Ended {
				t.Errorf("after a restart of %s it is %s", to, s)
			}
		}
		if _, err := w.side["insurer"].Accept(ctx, n, "x"); !errors.Is(err, offer.ErrTurn) {
			t.Errorf("an ended negotiation is accepted: %v", err)
		}
	}
}

// An acceptance of anything but what was offered last is worth nothing, whenever it comes.
func TestAnAcceptanceIsOfWhatWasOfferedLast(t *testing.T) {
	ctx := context.Background()
	w := newWorld(t, "hospital", "insurer")
	h, i := w.side["hospital"], w.side["insurer"]
	first, err := h.Propose(ctx, "insurer", w.draft())
	must(t, err)
	h.Deliver(ctx)
	n := first.Signed.Contract.Negotiation
	insurer := contract.Signer{Domain: "insurer", Key: w.keys["insurer"], KeyID: "k1"}
	old, err := first.Signed.Accept(insurer) // kept back by a lying insurer
	must(t, err)
	narrower := w.draft()
	narrower.Ours.Levels = map[flow.Label]flow.Level{"person": flow.Masked}
	_, err = i.Counter(ctx, n, turned(narrower))
	must(t, err)
	i.Deliver(ctx)
	if status, body := w.post("hospital", old.Bytes()); status != http.StatusBadRequest || h.state(t, n) != offer.Waiting {
		t.Errorf("an old acceptance is answered %d %s, and the negotiation is %s", status, body, h.state(t, n))
	}
	// The hospital answers in its turn; the old acceptance is still of something else than what it offered last.
	narrowest := w.draft()
	narrowest.Ours.Levels = map[flow.Label]flow.Level{"person": flow.Dropped}
	_, err = h.Counter(ctx, n, offer.Draft{Purposes: narrowest.Purposes, Ours: narrowest.Ours, Theirs: narrowest.Theirs})
	must(t, err)
	if status, body := w.post("hospital", old.Bytes()); status != http.StatusBadRequest || h.state(t, n) != offer.Offered {
		t.Errorf("an old acceptance of another offer is answered %d %s, and the negotiation is %s", status, body, h.state(t, n))
	}
	h.Deliver(ctx)
	// Other bytes than the ones that were offered, signed by the insurer twice over in the hospital's name.
	forged := first.Signed.Contract.Next()
	forged.Version, forged.Previous = 1, ""
	forged.Parties[0].Gives.Levels["person"] = flow.Raw
	one, err := contract.Offer(forged, insurer)
	must(t, err)
	two, err := one.Accept(contract.Signer{Domain: "hospital", Key: w.keys["insurer"], KeyID: "k1"})
	must(t, err)
	if status, body := w.post("hospital", two.Bytes()); status != http.StatusBadRequest || !strings.Contains(body, `"signature"`) {
		t.Errorf("a contract in the hospital's name is answered %d %s", status, body)
	}
	// The withdrawal and the acceptance cross.
	e, _ := i.Entry(n)
	w.down["insurer"], w.down["hospital"] = true, true
	_, err = i.Accept(ctx, n, e.Signed.Contract.ID())
	must(t, err)
	_, err = h.Withdraw(ctx, n)
	must(t, err)
	w.down["insurer"], w.down["hospital"] = false, false
	h.Deliver(ctx)
	i.Deliver(ctx)
	if h.state(t, n) != offer.Ended || i.state(t, n) != offer.Ended {
		t.Errorf("crossed: %s and %s, want both ended", h.state(t, n), i.state(t, n))
	}
}

// Whoever is no peer any more has nothing opened by what was agreed on, and what it bounds stays bounded.
func TestAContractWithWhoIsNoPeerOpensNothing(t *testing.T) {
	w := newWorld(t, "hospital", "insurer")
	agreement(t, w)
	f, h := bill("hospital", "insurer"), w.side["hospital"]
	in := gateway.Agreed(h.InForce(f, w.clock()))
	if names := in.Names("hospital"); len(names) != 2 || names[1] != "insurer:prior-auth" {
		t.Errorf("policies see %q", names)
	}
	delete(w.keys, "insurer")
	out := gateway.Agreed(h.InForce(f, w.clock()))
	if len(out) != 1 || len(out.Names("hospital")) != 0 || !slices.Equal(out.IDs(), in.IDs()) {
		t.Errorf("of a domain that is no peer %d contracts bind, and policies see %q", len(out), out.Names("hospital"))
	}
}

// A third domain takes no part in what two others negotiate, with its own key or on its own connection.
func TestNobodySpeaksForAnotherDomain(t *testing.T) {
	ctx := context.Background()
	w := newWorld(t, "hospital", "insurer", "spy")
	n := agreement(t, w)
	spy := contract.Signer{Domain: "spy", Key: w.keys["spy"], KeyID: "k1"}
	end, err := contract.End{Negotiation: n, At: w.clock()}.Sign(spy)
	must(t, err)
	as, err := contract.End{Negotiation: n, At: w.clock()}.Sign(contract.Signer{Domain: "insurer", Key: w.keys["spy"], KeyID: "k1"})
	must(t, err)
	for name, body := range map[string]string{"its own end": end, "an end in another's name": as} {
		if status, got := w.post("hospital", []byte(body)); status != http.StatusBadRequest || w.side["hospital"].state(t, n) != offer.Agreed {
			t.Errorf("%s is answered %d %s, and the contract is %s", name, status, got, w.side["hospital"].state(t, n))
		}
	}
	// What the insurer signed, on the spy's connection.
	real, err := contract.End{Negotiation: n, At: w.clock()}.Sign(contract.Signer{Domain: "insurer", Key: w.keys["insurer"], KeyID: "k1"})
	must(t, err)
	if _, err := w.side["hospital"].Receive(ctx, "spy", []byte(real)); !errors.Is(err, &contract.Error{Rule: contract.RuleSigner}) {
		t.Errorf("the insurer's word on the spy's connection: %v", err)
	}
	// The hospital's own words, thrown back at it.
	for _, body := range w.side["hospital"].sent {
		if status, _ := w.post("hospital", body); status == http.StatusOK && w.side["hospital"].state(t, n) != offer.Agreed {
			t.Error("the hospital is moved by its own words")
		}
	}
	between, err := w.side["spy"].Propose(ctx, "insurer", w.draft())
	must(t, err)
	if status, _ := w.post("hospital", between.Signed.Bytes()); status != http.StatusBadRequest {
		t.Errorf("a contract of two others is answered %d", status)
	}
	lone := w.draft()
	delete(w.keys, "spy") // it is no peer any more
	if status, _ := w.post("insurer", between.Signed.Bytes()); status != http.StatusBadRequest {
		t.Errorf("an offer of a domain that is no peer is answered %d", status)
	}
	if _, err := w.side["hospital"].Propose(ctx, "spy", lone); !errors.Is(err, offer.ErrNoPeer) {
		t.Errorf("an offer to a domain that is no peer: %v", err)
	}
}

func TestALostAnswerIsMadeUpFor(t *testing.T) {
	ctx := context.Background()
	w := newWorld(t, "hospital", "insurer")
	h, i := w.side["hospital"], w.side["insurer"]
	e, err := h.Propose(ctx, "insurer", w.draft())
	must(t, err)
	n := e.Signed.Contract.Negotiation
	w.lost["insurer"] = true
	h.Deliver(ctx)
	w.lost["insurer"] = false
	h.Deliver(ctx) // it comes again
	if i.state(t, n) != offer.Waiting {
		t.Fatalf("the insurer's side is %s", i.state(t, n))
	}
	_, err = i.Accept(ctx, n, e.Signed.Contract.ID())
	must(t, err)
	w.lost["hospital"] = true
	i.Deliver(ctx)
	if i.state(t, n) != offer.Accepting || i.bound(bill("hospital", "insurer")) != 0 {
		t.Errorf("nobody answered, and the insurer's side is %s", i.state(t, n))
	}
	i.close(t) // a crash between signing and hearing
	i.open(t)
	w.lost["hospital"] = false
	i.Deliver(ctx)
	if i.state(t, n) != offer.Agreed || h.state(t, n) != offer.Agreed {
		t.Errorf("in the end: %s and %s", h.state(t, n), i.state(t, n))
	}
}

func TestConfigurationAgreesWithinItsBoundsAlone(t *testing.T) {
	ctx := context.Background()
	for name, c := range map[string]struct {
		change func(*offer.Bound, *offer.Draft)
		want   offer.State
	}{
		"within":          {func(*offer.Bound, *offer.Draft) {}, offer.Agreed},
		"another name":    {func(_ *offer.Bound, d *offer.Draft) { d.Name = "gold" }, offer.Waiting},
		"another purpose": {func(_ *offer.Bound, d *offer.Draft) { d.Purposes = []flow.Purpose{"research"} }, offer.Waiting},
		"too long":        {func(_ *offer.Bound, d *offer.Draft) { d.Expires = d.Expires.Add(time.Hour) }, offer.Waiting},
		"another peer":    {func(b *offer.Bound, _ *offer.Draft) { b.Peer = "lab" }, offer.Waiting},
		"more of ours":    {func(_ *offer.Bound, d *offer.Draft) { d.Theirs.Levels = map[flow.Label]flow.Level{"*": flow.Raw} }, offer.Waiting},
		"duties":          {func(_ *offer.Bound, d *offer.Draft) { d.Ours.Notify = []string{"dpo"} }, offer.Waiting},
		"allowed duties":  {func(b *offer.Bound, d *offer.Draft) { d.Ours.Notify = []string{"dpo"}; b.Duties = true }, offer.Agreed},
	} {
		w := newWorld(t, "hospital", "insurer")
		h, i := w.side["hospital"], w.side["insurer"]
		bound := offer.Bound{Peer: "hospital", Names: []string{"prior-auth"}, Purposes: []flow.Purpose{"billing"}, Gives: map[flow.Label]flow.Level{"business": flow.Generalized}, Life: 30 * 24 * time.Hour}
		d := w.draft()
		d.Theirs.Levels = map[flow.Label]flow.Level{"business": flow.Generalized, "business/decision": flow.Masked}
		c.change(&bound, &d)
		i.bounds = []offer.Bound{bound}
		e, err := h.Propose(ctx, "insurer", d)
		must(t, err)
		h.Deliver(ctx)
		i.Deliver(ctx)
		if got := i.state(t, e.Signed.Contract.Negotiation); got != c.want {
			t.Errorf("%s: the negotiation is %s, want %s", name, got, c.want)
		}
	}
}

func TestAPeerCannotFillTheBook(t *testing.T) {
	ctx := context.Background()
	w := newWorld(t, "hospital", "insurer")
	for range 40 {
		_, err := w.side["hospital"].Propose(ctx, "insurer", w.draft())
		must(t, err)
	}
	w.side["hospital"].Deliver(ctx)
	if n := len(w.side["insurer"].All()); n != 32 {
		t.Errorf("the insurer keeps %d offers that nobody answered, want 32", n)
	}
	before := len(w.side["insurer"].reasons(t))
	for range 200 {
		w.post("insurer", []byte(`{"payload":"","signatures":[]}`))
	}
	if n := len(w.side["insurer"].reasons(t)) - before; n > 20 {
		t.Errorf("strangers wrote %d rows in a second", n)
	}
}

// Whatever two sides do in whatever order, at the end an agreement is one that both signed, alike on both sides, and wider than none
// of the offers before it.
func TestRandomNegotiations(t *testing.T) {
	ctx := context.Background()
	seed := rand.Uint64()
	r := rand.New(rand.NewPCG(seed, 6))
	w := newWorld(t, "hospital", "insurer")
	outcomes := map[offer.State]int{}
	levels := func() map[flow.Label]flow.Level {
		m := map[flow.Label]flow.Level{}
		for _, l := range []flow.Label{"*", "person", "person/name", "health"} {
			if r.IntN(2) == 0 {
				m[l] = flow.Level(r.IntN(5))
			}
		}
		return m
	}
	for range 60 {
		first, second := w.side["hospital"], w.side["insurer"]
		if r.IntN(2) == 0 {
			first, second = second, first
		}
		d := w.draft()
		d.Ours.Agents = nil
		d.Ours.Levels = levels()
		e, err := first.Propose(ctx, second.name, d)
		must(t, err)
		n := e.Signed.Contract.Negotiation
		var offers []*contract.Contract
		for range 12 {
			s := []*side{first, second}[r.IntN(2)]
			now, ok := s.Entry(n)
			switch r.IntN(6) {
			case 0, 1:
				first.Deliver(ctx)
				second.Deliver(ctx)
			case 2:
				if ok && now.State == offer.Waiting {
					_, err = s.Accept(ctx, n, now.Signed.Contract.ID())
					must(t, err)
				}
			case 3, 4:
				c := d
				c.Ours.Levels = levels()
				if s == second {
					c = turned(c)
				}
				_, _ = s.Counter(ctx, n, c) // mostly it is not its turn, or wider
			case 5:
				if r.IntN(4) == 0 {
					_, _ = s.Withdraw(ctx, n)
				}
			}
			for _, s := range []*side{first, second} {
				if e, ok := s.Entry(n); ok {
					offers = append(offers, e.Signed.Contract)
				}
			}
		}
		first.Deliver(ctx)
		second.Deliver(ctx)
		first.Deliver(ctx)
		a, _ := first.Entry(n)
		b, _ := second.Entry(n)
		outcomes[a.State]++
		if (a.State == offer.Agreed) != (b.State == offer.Agreed) {
			t.Fatalf("seed %d: one side has agreed, the other has not: %s, %s", seed, a.State, b.State)
		}
		if a.State != offer.Agreed {
			continue
		}
		if !bytes.Equal(a.Signed.Bytes(), b.Signed.Bytes()) || !a.Signed.Agreed() {
			t.Fatalf("seed %d: the two sides agreed on different things", seed)
		}
		for _, o := range offers {
			if err := a.Signed.Contract.Within(o); err != nil {
				t.Fatalf("seed %d: the contract is wider than version %d: %v", seed, o.Version, err)
			}
		}
	}
	if outcomes[offer.Agreed] < 3 || outcomes[offer.Ended] < 3 {
		t.Errorf("outcomes are %v: the test sees too little", outcomes)
	}
}

// nowhere is a database that keeps nothing: under the fuzzer's instruments a real one takes all its time.
type nowhere struct{ store.DB }

func (nowhere) Update(_ context.Context, fn func(store.Tx) error) error { return fn(discarded{}) }

func (nowhere) View(context.Context, func(store.Tx) error) error { return nil }

type discarded struct{ store.Tx }

func (discarded) Exec(string, ...any) (int64, error) { return 1, nil }

type unwritten struct{}

func (unwritten) Append(store.Tx, flow.Event, audit.Private) (flow.Receipt, error) {
	return flow.Receipt{}, nil
}

func FuzzReceive(f *testing.F) {
	ctx := context.Background()
	w := newWorld(f)
	for i, n := range []flow.DomainID{"hospital", "insurer"} {
		w.keys[n] = ed25519.NewKeyFromSeed(bytes.Repeat([]byte{byte(i + 1)}, 32))
	}
	open := func(f testing.TB, own flow.DomainID) *offer.Book {
		b, err := offer.OpenBook(ctx, offer.BookOptions{Domain: own, DB: nowhere{}, Journal: unwritten{}, Domains: domains{w, own}, Clock: w.clock})
		must(f, err)
		return b
	}
	e, err := open(f, "hospital").Propose(ctx, "insurer", w.draft())
	must(f, err)
	f.Add(e.Signed.Bytes())
	hospital := contract.Signer{Domain: "hospital", Key: w.keys["hospital"], KeyID: "k1"}
	end, err := contract.End{Negotiation: e.Signed.Contract.Negotiation, At: w.clock()}.Sign(hospital)
	must(f, err)
	f.Add([]byte(end))
	f.Fuzz(func(t *testing.T, raw []byte) {
		b := open(t, "insurer")
		state, err := b.Receive(ctx, "", raw)
		if err == nil && state != offer.Waiting && state != offer.Ended || err != nil && len(b.All()) > 0 {
			t.Errorf("state %s, error %v, %d negotiations", state, err, len(b.All()))
		}
	})
}
