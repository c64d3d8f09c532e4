package budget_test

import (
	"context"
	"crypto/ed25519"
	"crypto/sha256"
	"errors"
	"os"
	"sync"
	"testing"
	"time"

	"golang.org/x/crypto/chacha20poly1305"

	"github.com/scrimhq/scrim/privacy/budget"
	"github.com/scrimhq/scrim/privacy/dp/account"
	"github.com/scrimhq/scrim/store"
	"github.com/scrimhq/scrim/store/storetest"
)

func TestMain(m *testing.M) {
	if what := os.Getenv(childEnv); what != "" {
		os.Exit(child(what))
	}
	os.Exit(m.Run())
}

const (
	nano  = 1_000_000_000
	femto = 1_000_000_000_000_000
)

// clock is a time that a test sets.
type clock struct {
	mu sync.Mutex
	at time.Time
}

func newClock() *clock { return &clock{at: time.Date(2026, 11, 27, 9, 0, 0, 0, time.UTC)} }

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.at
}

func (c *clock) move(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.at = c.at.Add(d)
}

// seal is an AEAD by a key that tests know.
type seal struct{}

func (seal) Seal(plain, associated []byte) ([]byte, error) {
	a, err := chacha20poly1305.NewX(make([]byte, chacha20poly1305.KeySize))
	if err != nil {
		return nil, err
	}
	nonce := sha256.Sum256(associated)
	return a.Seal(nil, nonce[:chacha20poly1305.NonceSizeX], plain, associated), nil
}

func (seal) Open(sealed, associated []byte) ([]byte, error) {
	a, err := chacha20poly1305.NewX(make([]byte, chacha20poly1305.KeySize))
	if err != nil {
		return nil, err
	}
	nonce := sha256.Sum256(associated)
	return a.Open(nil, nonce[:chacha20poly1305.NonceSizeX], sealed, associated)
}

func keyOf(name string) ed25519.PrivateKey {
	s := sha256.Sum256([]byte("test key of " + name))
	return ed25519.NewKeyFromSeed(s[:])
}

// house is a ledger with what it stands on.
type house struct {
	*budget.Ledger
	db    store.DB
	clock *clock
}

func options(c *clock) budget.Options {
	return budget.Options{Signer: keyOf("gateway"), Seal: seal{}, Clock: c.now}
}

func open(t testing.TB, change ...func(*budget.Options)) *house {
	t.Helper()
	return openDB(t, storetest.Open(t, budget.Schema()), newClock(), change...)
}

func openDB(t testing.TB, db store.DB, c *clock, change ...func(*budget.Options)) *house {
	t.Helper()
	h, err := tryOpen(t, db, c, change...)
	must(t, err)
	return h
}

func tryOpen(t testing.TB, db store.DB, c *clock, change ...func(*budget.Options)) (*house, error) {
	t.Helper()
	opt := options(c)
	for _, f := range change {
		f(&opt)
	}
	l, err := budget.Open(context.Background(), db, opt)
	if err != nil {
		return nil, err
	}
	h := &house{l, db, c}
	t.Cleanup(func() { _ = l.Close(context.Background()) })
	return h, nil
}

// again closes the ledger and opens it as another process would.
func (h *house) again(t testing.TB, change ...func(*budget.Options)) *house {
	t.Helper()
	must(t, h.Close(context.Background()))
	return openDB(t, h.db, h.clock, change...)
}

// sound fails the test unless a replay finds nothing.
func (h *house) sound(t testing.TB) budget.Report {
	t.Helper()
	r, err := h.Replay(context.Background())
	must(t, err)
	for _, f := range r.Findings {
		t.Errorf("replay: %v", f)
	}
	return r
}

func (h *house) reserve(c budget.Charge) (*budget.Reservation, error) {
	return h.Reserve(context.Background(), c)
}

// spend reserves and commits.
func (h *house) spend(c budget.Charge, answer string) error {
	r, err := h.reserve(c)
	if err != nil {
		return err
	}
	if _, ok := r.Answer(); ok {
		return nil
	}
	if err := r.Begin(); err != nil {
		return err
	}
	return r.Commit(context.Background(), []byte(answer))
}

// pure is the cost of an ε-DP mechanism: ρ = ε²/2 (Bun and Steinke 2016, proposition 1.4), and the Rényi divergence is at most that
// of randomised response, which is at most min(ε, α ε²/2).
func pure(epsilonNano int64) account.Vector {
	e := float64(epsilonNano) / nano
	v := account.Vector{Epsilon: epsilonNano, Rho: int64(e*e/2*nano) + 1, Mu2: account.Infinite}
	for i, a := range account.Orders {
		v.RDP[i] = min(epsilonNano, int64(float64(a)*e*e/2*nano)+1)
	}
	return v
}

// gaussian is the cost of a continuous Gaussian mechanism with that μ² in nano.
func gaussian(mu2 int64) account.Vector {
	v := account.Vector{Epsilon: account.Infinite, Delta: account.Infinite, Mu2: mu2, Rho: (mu2 + 1) / 2}
	for i, a := range account.Orders {
		v.RDP[i] = (mu2*int64(a) + 1) / 2
	}
	return v
}

var (
	claims  = budget.Scope{Dataset: "claims"}
	insurer = budget.Scope{Dataset: "claims", Domain: "insurer.example"}
	review  = budget.Scope{Dataset: "claims", Domain: "insurer.example", Workflow: "review"}
	agent1  = budget.Scope{Dataset: "claims", Domain: "insurer.example", Workflow: "review", Agent: "a1"}
	agent2  = budget.Scope{Dataset: "claims", Domain: "insurer.example", Workflow: "review", Agent: "a2"}
)

func patients(epsilonNano, deltaFemto int64) budget.Budget {
	return budget.Budget{Dataset: "claims", Unit: budget.Unit{Name: "patient"}, Plan: budget.Plan{Epsilon: epsilonNano, Delta: deltaFemto}}
}

func (h *house) declare(t testing.TB, b budget.Budget) {
	t.Helper()
	must(t, h.Declare(context.Background(), b))
}

func (h *house) spent(t testing.TB, s budget.Scope, block int64) account.Vector {
	t.Helper()
	all, err := h.Remaining(context.Background(), s, budget.Range{From: block, To: block + 1})
	must(t, err)
	for _, x := range all {
		if x.Scope == s {
			return x.Spent
		}
	}
	t.Fatalf("%s has no standing", s)
	return account.Vector{}
}

func want(t testing.TB, what string, got, want error) {
	t.Helper()
	if !errors.Is(got, want) || (got == nil) != (want == nil) {
		t.Errorf("%s: error = %v, want %v", what, got, want)
	}
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func digest(s string) [32]byte { return sha256.Sum256([]byte(s)) }
