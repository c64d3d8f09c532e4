// Package peerstest makes domains with keys, an authority and a document, for tests that need peers.
package peerstest

import (
	"context"
	"fmt"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"github.com/scrimhq/scrim/evidence/audit"
	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/gateway/peers"
	"github.com/scrimhq/scrim/policy/domain"
	"github.com/scrimhq/scrim/privacy/vault"
	"github.com/scrimhq/scrim/store"
	"github.com/scrimhq/scrim/store/storetest"
)

// Domain is a domain with an open state. Its keys are real and its data directory is a temporary one.
type Domain struct {
	*peers.Peers
	Dir   string
	Keys  *vault.Keyring
	DB    store.DB
	Log   *audit.Log
	Clock func() time.Time
}

// Options of a domain; the zero value is fine.
type Options struct {
	Dir      string           // of its state; "": a new one
	Clock    func() time.Time // nil: time.Now
	Settings peers.Settings
	NoCA     bool // no certificate authority is made
	Schemas  []store.Schema
	Fault    func(error)
}

var flows atomic.Int64

// New opens a domain.
func New(t testing.TB, name flow.DomainID, opt Options) *Domain {
	t.Helper()
	if opt.Dir == "" {
		opt.Dir = t.TempDir()
	}
	if opt.Clock == nil {
		opt.Clock = time.Now
	}
	d := &Domain{Peers: peers.New(name), Dir: opt.Dir, Clock: opt.Clock}
	ctx := context.Background()
	var err error
	if d.DB, err = storetest.Try(t, opt.Dir, store.Options{NoSync: true}, append([]store.Schema{audit.Schema(), peers.Schema()}, opt.Schemas...)...); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { d.Close(t) })
	if d.Keys, err = vault.OpenKeyring(ctx, filepath.Join(opt.Dir, "keyring"), nil); err != nil {
		t.Fatal(err)
	}
	origin := "scrim.dev/log/" + string(name)
	if d.Log, err = audit.Open(ctx, d.DB, origin, d.Keys.Signer("log"), audit.Options{Dir: filepath.Join(opt.Dir, "log")}); err != nil {
		t.Fatal(err)
	}
	err = d.Open(ctx, peers.Options{
		DB: d.DB, Journal: d.Log, Keys: d.Keys, Origin: origin, Clock: opt.Clock, Fault: opt.Fault,
		FlowID: func() flow.ID { return flow.ID(fmt.Sprintf("%026d", flows.Add(1))) },
	}, opt.Settings)
	if err != nil {
		t.Fatal(err)
	}
	if !opt.NoCA && len(d.Authorities()) == 0 {
		if _, err := d.InitAuthority(ctx, 0, false, vault.Rotation{}); err != nil {
			t.Fatal(err)
		}
	}
	return d
}

// Close closes the state; it may be called more than once.
func (d *Domain) Close(t testing.TB) {
	if d.DB == nil {
		return
	}
	if err := d.Log.Close(context.Background()); err != nil {
		t.Error(err)
	}
	if err := d.DB.Close(); err != nil {
		t.Error(err)
	}
	d.DB = nil
}

// Published returns the document as it is served.
func (d *Domain) Published() []byte { return domain.JSON(d.Document()) }

// Print returns the domain's fingerprint.
func (d *Domain) Print() domain.Fingerprint {
	f, _, _ := d.Identity()
	return f
}

// Pin makes each domain a peer of every other.
func Pin(t testing.TB, all ...*Domain) {
	t.Helper()
	for _, d := range all {
		for _, other := range all {
			if other == d {
				continue
			}
			if _, err := d.Pin(context.Background(), "https://"+string(other.Domain())+".test", other.Print(), other.Published()); err != nil {
				t.Fatal(err)
			}
		}
	}
}
