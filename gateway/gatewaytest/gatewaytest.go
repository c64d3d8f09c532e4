// Package gatewaytest makes real gateways for tests: real store, journal, vault and policies in a temporary directory.
package gatewaytest

import (
	"cmp"
	"context"
	"errors"
	"path/filepath"
	"sync"
	"testing"
	"testing/fstest"
	"time"

	"github.com/scrimhq/scrim/data/catalog"
	"github.com/scrimhq/scrim/evidence/audit"
	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/gateway"
	"github.com/scrimhq/scrim/gateway/erasure"
	"github.com/scrimhq/scrim/gateway/identity"
	"github.com/scrimhq/scrim/policy"
	"github.com/scrimhq/scrim/policy/capability/ledger"
	"github.com/scrimhq/scrim/privacy/budget"
	"github.com/scrimhq/scrim/privacy/budget/answers"
	"github.com/scrimhq/scrim/privacy/exposure"
	"github.com/scrimhq/scrim/privacy/vault"
	"github.com/scrimhq/scrim/store"
	"github.com/scrimhq/scrim/store/storetest"
)

// Own and Other are the domains of the parties.
const (
	Own   flow.DomainID = "own"
	Other flow.DomainID = "other"
)

// Schema is a JSON Schema with what it is bound to.
type Schema struct {
	Kind      catalog.Kind
	Owner     flow.AgentID
	Name      string
	Direction flow.Direction
	JSON      string
}

// Setup says what to make.
type Setup struct {
	Domain       flow.DomainID          // whose gateway it is; "": Own
	Certificates *identity.Certificates // nil: no certificate is believed
	Policy       string                 // Cedar
	Schemas      []Schema
	Agents       []*gateway.Agent
	Callers      map[string]identity.Grant // by API key; every grant's party should be among the agents
	Anonymous    *identity.Grant           // of callers without a credential; nil: they are refused
	Transparent  []gateway.Transparent
	Fronts       []*gateway.Group
	Fetch        *gateway.Fetch
	Learn        bool
	NoSync       bool // for benchmarks only
	Dir          string
	Hooks        gateway.Hooks
	Retention    gateway.Retention
	Contracts    gateway.Contracts
	Clock        func() time.Time
	Change       func(*gateway.Snapshot) // what else configuration would say; may be nil
	Domains      *Domains                // whose capabilities are taken; nil: none are
	Tables       []store.Schema          // beside those of the gateway
	Budgets      []budget.Budget         // what is declared of datasets; nil: no ledger is kept

	// Wait waits for what is left of the padded time of a question; nil: answers leave at once.
	Wait func(context.Context, time.Duration) error
}

// Rig is a running gateway with what it keeps state in.
type Rig struct {
	*gateway.Gateway
	DB     store.DB
	Log    *audit.Log
	Vault  *vault.Vault
	Keys   *vault.Keyring
	Ledger *ledger.Ledger // nil without Setup.Domains

	Exposure *exposure.Memory // that a snapshot with Exposure uses
	Dir      string

	Budgets *budget.Ledger // nil without Setup.Budgets
	Book    *answers.Book

	mu     sync.Mutex
	events []flow.Event
	closed bool
}

// New makes a gateway. It is closed with the test.
func New(t testing.TB, setup Setup) *Rig {
	t.Helper()
	ctx := context.Background()
	r := &Rig{Dir: setup.Dir}
	if r.Dir == "" {
		r.Dir = t.TempDir()
	}
	var err error
	r.DB, err = storetest.Try(t, filepath.Join(r.Dir, "data"), store.Options{NoSync: setup.NoSync},
		append([]store.Schema{audit.Schema(), vault.Schema(), gateway.Schema(), ledger.Schema(), budget.Schema(), answers.Schema(), erasure.Schema(), exposure.Schema()}, setup.Tables...)...)
	must(t, err)
	r.Keys, err = vault.OpenKeyring(ctx, filepath.Join(r.Dir, "keyset.json"), nil)
	must(t, err)
	r.Vault, err = vault.New(r.DB, r.Keys, vault.Options{Domain: Own, Erased: erased, Forgot: gateway.ForgetHandles})
	must(t, err)
	r.Log, err = audit.Open(ctx, r.DB, "scrim.dev/log/own", r.Keys.Signer("log"), audit.Options{Dir: filepath.Join(r.Dir, "log"), MergeDelay: time.Minute}) // a busy disk stops no release
	must(t, err)
	r.Exposure, err = exposure.Open(ctx, r.DB, r.Vault, r.Keys, exposure.Options{Clock: setup.Clock})
	must(t, err)
	r.Ledger = r.openLedger(t, setup)
	budgets := r.openBudgets(t, setup)
	hooks := setup.Hooks
	tell := hooks.Event
	hooks.Event = func(ev flow.Event) {
		r.mu.Lock()
		r.events = append(r.events, ev)
		r.mu.Unlock()
		if tell != nil {
			tell(ev)
		}
	}
	if hooks.Error == nil {
		hooks.Error = r.fault(t)
	}
	r.Gateway, err = gateway.New(gateway.Options{Store: r.DB, Journal: r.Log, Vault: r.Vault, Keys: r.Keys, Hooks: hooks, Retention: setup.Retention, Contracts: setup.Contracts, Clock: setup.Clock, Capabilities: r.Ledger, Budgets: budgets, Exposure: r.Exposure}, Snapshot(t, setup))
	must(t, err)
	t.Cleanup(func() { r.Close(t) })
	return r
}

// fault tells of faults as long as the gateway is open. Whoever still does something then may not speak: after its test has ended, that would end all.
func (r *Rig) fault(t testing.TB) func(error) {
	return func(err error) {
		r.mu.Lock()
		defer r.mu.Unlock()
		if !r.closed {
			t.Logf("fault: %v", err)
		}
	}
}

// Close closes the state; calling it again does nothing.
func (r *Rig) Close(t testing.TB) {
	t.Helper()
	r.mu.Lock()
	closed := r.closed
	r.closed = true
	r.mu.Unlock()
	if closed {
		return
	}
	if r.Budgets != nil {
		must(t, r.Budgets.Close(context.Background()))
	}
	must(t, r.Log.Close(context.Background()))
	must(t, r.DB.Close())
}

// Events returns the recorded events so far.
func (r *Rig) Events() []flow.Event {
	r.mu.Lock()
	defer r.mu.Unlock()
	return append([]flow.Event(nil), r.events...)
}

// Snapshot builds a snapshot as configuration would.
func Snapshot(t testing.TB, setup Setup) *gateway.Snapshot {
	t.Helper()
	tax := flow.DefaultTaxonomy()
	s := &gateway.Snapshot{Domain: cmp.Or(setup.Domain, Own), Taxonomy: tax, Agents: map[flow.AgentID]*gateway.Agent{}, Transparent: setup.Transparent, Fetch: setup.Fetch, ConfigHash: "test", Learn: setup.Learn}
	s.Fronts = map[flow.AgentID]*gateway.Group{}
	for _, f := range setup.Fronts {
		s.Fronts[f.ID] = f
	}
	purposes := map[flow.Purpose][]flow.Purpose{}
	var parties []flow.Party
	for _, a := range setup.Agents {
		s.Agents[a.Party.Agent] = a
		parties = append(parties, a.Party)
	}
	var opt identity.Options
	for key, grant := range setup.Callers {
		opt.Keys = append(opt.Keys, identity.Key{ID: string(grant.Party.Agent), SHA256: identity.Digest(key), Grant: grant})
		for _, p := range grant.Purposes {
			purposes[p] = nil
		}
	}
	var err error
	opt.Anonymous, opt.Certificates = setup.Anonymous, setup.Certificates
	s.Identity, err = identity.New(opt)
	must(t, err)
	s.Policy, err = policy.Load(fstest.MapFS{"test.cedar": {Data: []byte(setup.Policy)}}, policy.Options{Taxonomy: tax, Entities: policy.Entities{Agents: parties, Purposes: purposes}})
	must(t, err)
	var bindings []catalog.Binding
	for _, sc := range setup.Schemas {
		compiled, err := catalog.ParseSchema("test.json", []byte(sc.JSON), catalog.SchemaOptions{Taxonomy: tax})
		must(t, err)
		bindings = append(bindings, catalog.Binding{Schema: compiled, Kind: sc.Kind, Owner: sc.Owner, Name: sc.Name, Direction: sc.Direction})
	}
	s.Catalog = catalog.New(bindings, nil)
	setup.capabilities(s)
	if setup.Change != nil {
		setup.Change(s)
	}
	return s
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// erased is what others do when a subject is erased.
func erased(tx store.Tx, ref flow.SubjectRef) error {
	return errors.Join(gateway.EraseAbout(tx, ref), exposure.Erase(tx, ref))
}
