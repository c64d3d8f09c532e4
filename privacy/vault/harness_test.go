package vault_test

import (
	"context"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/privacy/vault"
	"github.com/scrimhq/scrim/store"
	"github.com/scrimhq/scrim/store/storetest"
)

// clock is set by the test.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

func (c *clock) Now() time.Time { c.mu.Lock(); defer c.mu.Unlock(); return c.now }

func (c *clock) Add(d time.Duration) { c.mu.Lock(); defer c.mu.Unlock(); c.now = c.now.Add(d) }

// house is a vault on real files, which can be closed and opened again.
type house struct {
	dir   string
	opt   vault.Options
	clock *clock
	db    store.DB
	keys  *vault.Keyring
	*vault.Vault
}

func open(t testing.TB, opt vault.Options) *house {
	t.Helper()
	h := &house{dir: t.TempDir(), opt: opt, clock: &clock{now: time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)}}
	h.opt.Clock = h.clock.Now
	if h.opt.Domain == "" {
		h.opt.Domain = "hospital"
	}
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
	if h.db, err = storetest.Try(t, filepath.Join(h.dir, "db"), store.Options{NoSync: true}, vault.Schema()); err != nil {
		t.Fatal(err)
	}
	if h.keys, err = vault.OpenKeyring(t.Context(), filepath.Join(h.dir, "keyring"), nil); err != nil {
		t.Fatal(err)
	}
	if h.Vault, err = vault.New(h.db, h.keys, h.opt); err != nil {
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

// send runs one message: what the closure stages is flushed and kept.
func (h *house) send(t testing.TB, message func(b *vault.Batch)) {
	t.Helper()
	b := h.Begin()
	defer b.Discard()
	message(b)
	if err := h.commit(t.Context(), b); err != nil {
		t.Fatalf("flushing: %v", err)
	}
	b.Keep()
}

func (h *house) commit(ctx context.Context, b *vault.Batch) error {
	return h.db.Update(ctx, b.Flush)
}

// token mints one token in a message of its own.
func (h *house) token(t testing.TB, s vault.Scope, value string) string {
	t.Helper()
	var token string
	h.send(t, func(b *vault.Batch) {
		var err error
		if token, err = b.Token(t.Context(), s, value); err != nil {
			t.Fatalf("Token() error = %v", err)
		}
	})
	return token
}

func (h *house) surrogate(t testing.TB, task flow.TaskID, to flow.DomainID, l flow.Label, value string) string {
	t.Helper()
	var text string
	h.send(t, func(b *vault.Batch) { text = mustSurrogate(t, b, task, to, l, value) })
	return text
}

func mustTask(t testing.TB, b *vault.Batch, task flow.TaskID) *vault.Task {
	t.Helper()
	k, err := b.Task(t.Context(), vault.TaskKey{Task: task})
	if err != nil {
		t.Fatalf("Task() error = %v", err)
	}
	return k
}

func mustSurrogate(t testing.TB, b *vault.Batch, task flow.TaskID, to flow.DomainID, l flow.Label, value string) string {
	t.Helper()
	text, err := mustTask(t, b, task).Surrogate(to, class(l), value, "clerk")
	if err != nil {
		t.Fatalf("Surrogate() error = %v", err)
	}
	return text
}

func class(l flow.Label) flow.Class {
	c, _ := flow.DefaultTaxonomy().Class(l)
	return c
}

// email is the scope of most tests: an e-mail address of Jane's, catalogued, for the insurer's billing.
func (h *house) email() vault.Scope {
	return vault.Scope{
		Recipient: "insurer", Group: "billing", Class: class("person/contact/email"), Origin: flow.Catalogued,
		Subject: h.Subject("patients/id", "1"), Param: flow.TokenReversible,
	}
}
