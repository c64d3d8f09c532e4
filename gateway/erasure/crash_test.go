package erasure_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/scrimhq/scrim/evidence/audit"
	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/gateway/erasure"
	"github.com/scrimhq/scrim/gateway/gatewaytest"
	"github.com/scrimhq/scrim/privacy/vault"
	"github.com/scrimhq/scrim/store"
	"github.com/scrimhq/scrim/store/storetest"
)

// breaking is a store whose n-th statement of a transaction fails, or that ends before its files are scrubbed.
type breaking struct {
	store.DB
	at int // 0: none fails
}

var errCut = errors.New("cut off")

func (b *breaking) Scrub(context.Context, [][]byte) error { return errCut }

func (b *breaking) Update(ctx context.Context, fn func(store.Tx) error) error {
	return b.DB.Update(ctx, func(tx store.Tx) error { return fn(&breakingTx{Tx: tx, left: b.at}) })
}

type breakingTx struct {
	store.Tx
	left int
}

func (t *breakingTx) Exec(query string, args ...any) (int64, error) {
	if t.left--; t.left == 0 {
		return 0, errCut
	}
	return t.Tx.Exec(query, args...)
}

// Whichever statement of the erasure is the last one before the process ends: either nothing is erased, and the request still waits, or all of it is.
func TestAnErasureIsWholeOrNotAtAll(t *testing.T) {
	r := newRig(t)
	answer := r.ask("insurer", "billing", `{"data":`+person(1)+`}`)
	token := tokens.FindString(answer)
	r.ask("insurer", "care", `{"data":`+person(1)+mark+`}`)
	r.notify()
	before, err := r.Look(t.Context(), named(1))
	if err != nil {
		t.Fatal(err)
	}
	req, err := r.Ask(t.Context(), named(1), flow.Secret{})
	if err != nil {
		t.Fatal(err)
	}
	failed := 0
	for at := 1; ; at++ {
		db := &breaking{DB: r.DB, at: at}
		v, err := vault.New(db, r.Keys, vault.Options{Domain: gatewaytest.Own, Erased: erased})
		if err != nil {
			t.Fatal(err)
		}
		o := erasure.New(erasure.Options{DB: db, Journal: r.Log, Vault: v, Keys: r.Keys, Domain: gatewaytest.Own})
		_, err = o.Confirm(t.Context(), req.ID, named(1), flow.Secret{})
		if errors.Is(err, erasure.ErrScrub) {
			break // all statements were carried out
		}
		if !errors.Is(err, errCut) {
			t.Fatalf("Confirm() that is cut off at statement %d error = %v", at, err)
		}
		failed++
		if k, err := r.Look(t.Context(), named(1)); err != nil || k != before {
			t.Fatalf("cut off at statement %d, %+v of %+v is left, %v", at, k, before, err)
		}
		if _, err := r.Vault.Resolve(t.Context(), token); err != nil {
			t.Fatalf("cut off at statement %d, a token does not resolve: %v", at, err)
		}
		if all, err := r.Waiting(t.Context()); err != nil || len(all) != 1 {
			t.Fatalf("cut off at statement %d, %d requests wait, %v", at, len(all), err)
		}
	}
	if failed < 10 {
		t.Errorf("it was cut off at %d statements only", failed)
	}
	if k, err := r.Look(t.Context(), named(1)); err != nil || k != (erasure.Kept{}) {
		t.Errorf("%+v is left, %v", k, err)
	}
	if _, err := r.Log.Verify(t.Context()); err != nil {
		t.Error(err)
	}
}

// The process ends after the erasure is durable and before the files are scrubbed: the next start scrubs them.
func TestFilesAreScrubbedAtTheNextStart(t *testing.T) {
	storetest.NeedsDirectory(t)
	r := newRig(t)
	for n := range 40 {
		r.ask("insurer", "billing", `{"data":`+person(n)+`}`)
	}
	traces := r.kept(1)
	req, err := r.Ask(t.Context(), named(1), flow.Secret{})
	if err != nil {
		t.Fatal(err)
	}
	cut := erasure.New(erasure.Options{DB: &breaking{DB: r.DB}, Journal: r.Log, Vault: r.Vault, Keys: r.Keys, Domain: gatewaytest.Own})
	done, err := cut.Confirm(t.Context(), req.ID, named(1), flow.Secret{})
	if !errors.Is(err, erasure.ErrScrub) || done.Reference == "" || done.Scrubbed {
		t.Fatalf("Confirm() = %+v, %v, want that it is erased and the files are not scrubbed", done, err)
	}
	left := 0
	for _, b := range traces {
		if holds(files(t, r.Dir), b) {
			left++
		}
	}
	if left == 0 {
		t.Error("no file holds anything before the scrub either, so this test shows nothing")
	}
	if err := erasure.Finish(t.Context(), r.DB); err != nil {
		t.Fatal(err)
	}
	after := files(t, r.Dir)
	for what, b := range traces {
		if holds(after, b) {
			t.Errorf("a file still holds %s", what)
		}
	}
	if err := erasure.Finish(t.Context(), &breaking{DB: r.DB}); err != nil {
		t.Errorf("Finish() with nothing to do error = %v", err)
	}
}

// A call about the person is under way while the person is erased: what it has seen so far goes on record as new, under another key,
// and its answer is not kept.
func TestAnErasureWhileFlowsAreUnderWay(t *testing.T) {
	r := newRig(t)
	first := tokens.FindString(r.ask("insurer", "billing", `{"data":`+person(1)+`}`))
	held := make(chan struct{})
	r.mu.Lock()
	r.hold = held
	r.mu.Unlock()
	var calls sync.WaitGroup
	answers := make([]string, 6)
	r.answer = `{"message":{"messageId":"r","role":"ROLE_AGENT","parts":[{"data":` + person(1) + `}]}}`
	for i := range answers {
		calls.Go(func() { answers[i] = r.send("insurer", "billing", 1000+i) })
	}
	for range answers {
		<-r.asked
	}
	r.erase(1)
	r.mu.Lock()
	r.hold = nil
	r.mu.Unlock()
	close(held)
	calls.Wait()
	for i, a := range answers {
		token := tokens.FindString(a)
		if token == "" || token == first {
			t.Errorf("call %d got %s, want a token of another key", i, a)
		}
		if again := r.send("insurer", "billing", 1000+i); !strings.Contains(again, "not kept any more") {
			t.Errorf("call %d was answered again from what is older than the erasure: %s", i, again)
		}
	}
	if _, err := r.Vault.Resolve(t.Context(), first); !errors.Is(err, vault.ErrNoToken) {
		t.Errorf("Resolve() of the old token error = %v, want ErrNoToken", err)
	}
	n := 0
	if err := r.Office.Events(t.Context(), named(1), func(e erasure.Event) error { n++; return nil }); err != nil || n != len(answers) {
		t.Errorf("%d events are about the person, %v; want those since the erasure", n, err)
	}
	r.erase(1) // and they go as well
	if k, err := r.Look(t.Context(), named(1)); err != nil || k != (erasure.Kept{}) {
		t.Errorf("%+v is left, %v", k, err)
	}
}

// Messages and erasures at once, with no order between them: whatever came of it, one more erasure leaves nothing, and the journal is whole.
func TestErasuresAmongMessages(t *testing.T) {
	r := newRig(t)
	r.answer = `{"message":{"messageId":"r","role":"ROLE_AGENT","parts":[{"data":` + person(1) + `},{"data":` + person(2) + `}]}}`
	var all sync.WaitGroup
	for i := range 4 {
		all.Go(func() {
			for n := range 12 {
				if a := r.send("insurer", "billing", 2000+100*i+n); !tokens.MatchString(a) {
					t.Errorf("a call got %s", a)
				}
			}
		})
	}
	for range 8 {
		r.erase(1)
	}
	all.Wait()
	r.erase(1)
	if k, err := r.Look(t.Context(), named(1)); err != nil || k != (erasure.Kept{}) {
		t.Errorf("%+v is left, %v", k, err)
	}
	n := 0
	if err := r.Office.Events(t.Context(), named(2), func(e erasure.Event) error {
		if n++; !e.Proven {
			return fmt.Errorf("entry %d is not proven", e.Seq)
		}
		return nil
	}); err != nil || n != 48 {
		t.Errorf("%d events are about the other, %v; want 48", n, err)
	}
	if _, err := r.Log.Verify(t.Context()); err != nil {
		t.Error(err)
	}
}

// A retry after the erasure is not answered from what was kept, and the agent is not called twice.
func TestARetryAfterTheErasureIsNotCarriedOutTwice(t *testing.T) {
	r := newRig(t)
	got := r.ask("insurer", "care", `{"data":`+person(1)+`}`)
	if again := r.send("insurer", "care", 1); again != got || !strings.Contains(got, "Zelda") {
		t.Fatalf("the retry got %s, want the answer", again)
	}
	r.ask("insurer", "care", `{"data":`+person(2)+`}`)
	calls := r.calls
	r.erase(1)
	if again := r.send("insurer", "care", 1); strings.Contains(gatewaytest.Said(again), "Zelda") || !strings.Contains(again, "not kept any more") {
		t.Errorf("the retry got %s", again)
	}
	if other := r.send("insurer", "care", 2); !strings.Contains(other, "Zelda Kowalska 0002") {
		t.Errorf("the retry about somebody else got %s", other)
	}
	if r.calls != calls {
		t.Errorf("the agent was called %d times more", r.calls-calls)
	}
}

func TestNotificationsAndTaskMemoryGo(t *testing.T) {
	r := newRig(t)
	count := func(table string) (n int64) {
		t.Helper()
		if err := r.DB.View(t.Context(), func(tx store.Tx) error { return tx.QueryRow("SELECT count(*) FROM " + table).Scan(&n) }); err != nil {
			t.Fatal(err)
		}
		return n
	}
	r.ask("insurer", "billing", `{"data":`+person(1)+`}`)
	r.notify()
	one := count("vault_known")
	r.ask("insurer", "billing", `{"data":`+person(2)+`}`)
	r.notify()
	if one == 0 || count("vault_known") == one || count("gateway_notifications") != 2 {
		t.Fatal("there is nothing to forget")
	}
	all := count("vault_known")
	r.erase(1)
	if n := count("vault_known"); n != all-one {
		t.Errorf("%d values are remembered, want %d", n, all-one)
	}
	if n := count("gateway_notifications"); n != 1 {
		t.Errorf("%d notifications wait, want the other's", n)
	}
}

// No record, no erasure.
func TestNoRecordNoErasure(t *testing.T) {
	r := newRig(t)
	r.ask("insurer", "billing", `{"data":`+person(1)+`}`)
	req, err := r.Ask(t.Context(), named(1), flow.Secret{})
	if err != nil {
		t.Fatal(err)
	}
	if err := r.Log.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := r.Confirm(t.Context(), req.ID, named(1), flow.Secret{}); !errors.Is(err, audit.ErrClosed) {
		t.Errorf("Confirm() error = %v, want ErrClosed", err)
	}
	if k, err := r.Look(t.Context(), named(1)); err != nil || !k.Key {
		t.Errorf("the person is erased without a record: %+v, %v", k, err)
	}
}

// between is a store in which something else happens while its files are scrubbed.
type between struct {
	store.DB
	meanwhile func()
	scrubs    int
}

func (b *between) Scrub(ctx context.Context, traces [][]byte) error {
	b.scrubs++
	if f := b.meanwhile; f != nil {
		b.meanwhile = nil
		f()
	}
	return b.DB.(store.Scrubber).Scrub(ctx, traces)
}

// An erasure that overlaps another's scrub does not make a later one that was cut off look as if its files had been scrubbed.
func TestErasuresThatOverlapAreEachScrubbed(t *testing.T) {
	storetest.NeedsDirectory(t)
	ctx := t.Context()
	r := newRig(t)
	db := &between{DB: r.DB}
	office := func(db store.DB) *erasure.Office {
		v, err := vault.New(db, r.Keys, vault.Options{Domain: gatewaytest.Own, Erased: erased})
		if err != nil {
			t.Fatal(err)
		}
		return erasure.New(erasure.Options{DB: db, Journal: r.Log, Vault: v, Keys: r.Keys, Domain: gatewaytest.Own})
	}
	erase := func(o *erasure.Office, n int) error {
		req, err := o.Ask(ctx, named(n), flow.Secret{})
		if err != nil {
			t.Fatal(err)
		}
		_, err = o.Confirm(ctx, req.ID, named(n), flow.Secret{})
		return err
	}
	for n := 1; n <= 3; n++ {
		r.ask("insurer", "billing", `{"data":`+person(n)+`}`)
	}
	o := office(db)
	db.meanwhile = func() {
		if err := erase(o, 2); err != nil {
			t.Error(err)
		}
	}
	if err := erase(o, 1); err != nil {
		t.Fatal(err)
	}
	if err := erase(office(&breaking{DB: r.DB}), 3); !errors.Is(err, erasure.ErrScrub) {
		t.Fatalf("an erasure whose files cannot be scrubbed: %v, want ErrScrub", err)
	}
	db.scrubs = 0
	if err := erasure.Finish(ctx, db); err != nil || db.scrubs != 1 {
		t.Errorf("Finish() = %v after %d scrubs, want one", err, db.scrubs)
	}
	if err := erasure.Finish(ctx, db); err != nil || db.scrubs != 1 {
		t.Errorf("Finish() = %v after %d scrubs, want none more", err, db.scrubs)
	}
}
