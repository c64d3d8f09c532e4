package audit_test

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/rsa"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/scrimhq/scrim/evidence/audit"
	"github.com/scrimhq/scrim/evidence/tile"
	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/store"
	"github.com/scrimhq/scrim/store/storetest"
)

const origin = "scrim.dev/log/hospital.example"

func key(b byte) ed25519.PrivateKey { return ed25519.NewKeyFromSeed(bytes.Repeat([]byte{b}, 32)) }

func public(k ed25519.PrivateKey) ed25519.PublicKey { return k.Public().(ed25519.PublicKey) }

func clock() time.Time { return time.Date(2026, 11, 22, 20, 30, 0, 123, time.FixedZone("", 3600)) }

func event(i int) flow.Event {
	return flow.Event{
		Time: clock().Add(time.Duration(i) * time.Second),
		Flow: flow.Flow{
			ID: flow.ID(fmt.Sprintf("f%d", i)), Parent: flow.ID(fmt.Sprintf("f%d", i/2)),
			From: flow.Party{Agent: "intake", Domain: "hospital"}, To: flow.Party{Agent: "claims", Domain: "insurer", Roles: []flow.Role{"payer"}},
			Purpose: "billing", Task: flow.Task{ID: "t1", Criticality: flow.Routine}, Protocol: "a2a/1.0", Method: "SendMessage",
		},
		Outcome: flow.Released, PolicyHash: "sha256:00", Bytes: 1000 + i,
		Levels: []flow.LevelCount{{Label: "person/contact/email", Level: flow.Masked, By: flow.ByTier, Count: 2}},
	}
}

func openLog(t testing.TB, db store.DB, opt audit.Options) *audit.Log {
	t.Helper()
	if opt.Clock == nil {
		opt.Clock = clock
	}
	if opt.Interval == 0 {
		opt.Interval = -1
	}
	if opt.Dir == "" && storetest.OnPostgres() {
		opt.Dir = t.TempDir()
	}
	l, err := audit.Open(t.Context(), db, origin, key(1), opt)
	if err != nil {
		t.Fatalf("opening the journal: %v", err)
	}
	t.Cleanup(func() { _ = l.Close(context.Background()) })
	return l
}

// write appends events from..to, each in a transaction of its own, every second one with something sealed.
func write(t testing.TB, db store.DB, l *audit.Log, from, to int) []flow.Receipt {
	t.Helper()
	var receipts []flow.Receipt
	for i := from; i <= to; i++ {
		err := db.Update(t.Context(), func(tx store.Tx) error {
			var sealed []byte
			if i%2 == 0 {
				sealed = fmt.Appendf(nil, "sealed %d", i)
			}
			r, err := l.Append(tx, event(i), audit.Private{Sealed: sealed})
			receipts = append(receipts, r)
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	return receipts
}

func checkpoint(t testing.TB, l *audit.Log) tile.Checkpoint {
	t.Helper()
	c, err := l.Checkpoint(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func exec(t testing.TB, db store.DB, queries ...string) {
	t.Helper()
	for _, q := range queries {
		n := int64(0)
		err := db.Update(t.Context(), func(tx store.Tx) (err error) { n, err = tx.Exec(q); return err })
		if err != nil || n == 0 {
			t.Fatalf("%s: changed %d rows, error %v", q, n, err)
		}
	}
}

func TestReceiptsMatchWhatVerifyWalks(t *testing.T) {
	db := storetest.Open(t, audit.Schema())
	l := openLog(t, db, audit.Options{})
	receipts := write(t, db, l, 1, 5)
	c := checkpoint(t, l)
	if c.Size != 6 || c.Origin != origin {
		t.Errorf("checkpoint is %+v, want one over a header and 5 rows", c)
	}
	receipts = append(receipts, write(t, db, l, 6, 7)...)
	report, err := l.Verify(t.Context())
	if err != nil || report.Entries != 7 || report.Covered != 7 || report.Trees != 1 || report.Size != 8 || report.Head == c.Root {
		t.Errorf("Verify() = %+v, %v, want 7 entries, all of them in the tree", report, err)
	}
	signed, err := l.Tree("").Checkpoint(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if c, err = tile.ParseCheckpoint(signed, origin, l.Key()); err != nil || c.Size != 8 || c.Root != report.Head {
		t.Fatalf("the published checkpoint is %+v, %v", c, err)
	}
	i := 0
	for e, err := range l.Entries(t.Context(), audit.Query{}) {
		if err != nil {
			t.Fatal(err)
		}
		r := receipts[i]
		i++
		if e.Seq != r.Seq || e.Hash != r.Hash || e.Seq != int64(i) || r.Index != int64(i) || r.Log != origin {
			t.Errorf("entry %d has sequence number %d, receipt %+v, hash %x", i, e.Seq, r, e.Hash)
		}
		if leaf, err := tile.Leaf(t.Context(), l.Tree(""), c, r.Index); err != nil || leaf != r.Hash {
			t.Errorf("the receipt's leaf has hash %x in the tree (error %v), want %x", leaf, err, r.Hash)
		}
		ev := event(i)
		ev.Time = ev.Time.UTC()
		if got, want := mustJSON(t, e.Event), mustJSON(t, ev); got != want || string(e.Raw) != want {
			t.Errorf("entry %d holds %s, want %s", i, got, want)
		}
		if has := e.Sealed != nil; has != (i%2 == 0) {
			t.Errorf("entry %d: sealed is there: %v", i, has)
		}
	}
	if i != 7 {
		t.Errorf("Entries() gave %d, want 7", i)
	}
}

func mustJSON(t *testing.T, v any) string {
	t.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func TestEntriesByQuery(t *testing.T) {
	db := storetest.Open(t, audit.Schema())
	l := openLog(t, db, audit.Options{})
	write(t, db, l, 1, 200) // several pages
	for name, c := range map[string]struct {
		q    audit.Query
		want []int64
	}{
		"a range":             {audit.Query{From: 3, To: 5}, []int64{3, 4, 5}},
		"a limit":             {audit.Query{From: 199}, []int64{199, 200}},
		"one flow":            {audit.Query{Flow: "f7"}, []int64{7}},
		"no such flow":        {audit.Query{Flow: "f700"}, nil},
		"answers to a flow":   {audit.Query{Parent: "f50"}, []int64{100, 101}},
		"after the last":      {audit.Query{From: 201}, nil},
		"limit and beginning": {audit.Query{From: 63, Limit: 3}, []int64{63, 64, 65}},
	} {
		var got []int64
		for e, err := range l.Entries(t.Context(), c.q) {
			if err != nil {
				t.Fatal(err)
			}
			got = append(got, e.Seq)
		}
		if fmt.Sprint(got) != fmt.Sprint(c.want) {
			t.Errorf("%s: Entries() gave %v, want %v", name, got, c.want)
		}
	}
	for _, limit := range []int{0, 1, 63, 64, 65, 128, 129} {
		n := 0
		for range l.Entries(t.Context(), audit.Query{Limit: limit}) {
			n++
		}
		if limit > 0 && n != limit || limit == 0 && n != 200 {
			t.Errorf("Entries() with limit %d gave %d", limit, n)
		}
	}
	for range l.Entries(t.Context(), audit.Query{}) {
		break // must not go on yielding
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for _, err := range l.Entries(ctx, audit.Query{}) {
		if !errors.Is(err, context.Canceled) {
			t.Errorf("Entries() error = %v, want Canceled", err)
		}
	}
}

// Rows of transactions that were rolled back leave no trace, and the rows after them follow on.
func TestRollback(t *testing.T) {
	db := storetest.Open(t, audit.Schema())
	l := openLog(t, db, audit.Options{})
	boom := errors.New("boom")
	write(t, db, l, 1, 2)
	for range 3 {
		err := db.Update(t.Context(), func(tx store.Tx) error {
			for i := range 3 {
				if _, err := l.Append(tx, event(100+i), audit.Private{}); err != nil {
					return err
				}
			}
			return boom
		})
		if !errors.Is(err, boom) {
			t.Fatalf("Update() error = %v, want boom", err)
		}
		_ = db.Update(t.Context(), func(tx store.Tx) error { _, _ = l.Append(tx, event(100), audit.Private{}); panic("x") })
	}
	if r := write(t, db, l, 3, 3)[0]; r.Seq != 3 {
		t.Errorf("the row after the rollbacks has number %d, want 3", r.Seq)
	}
	if report, err := l.Verify(t.Context()); err != nil || report.Entries != 3 {
		t.Errorf("Verify() = %+v, %v, want 3 entries", report, err)
	}
}

// Appends, rollbacks, checkpoints and verifications at once; run with -race.
func TestAtOnce(t *testing.T) {
	db := storetest.Open(t, audit.Schema())
	l := openLog(t, db, audit.Options{Every: 10, Publish: time.Millisecond, MergeDelay: time.Hour, Archive: t.TempDir(), OnError: func(err error) { t.Error(err) }})
	var wg sync.WaitGroup
	var mu sync.Mutex
	seen := map[int64][32]byte{}
	for c := range 8 {
		wg.Go(func() {
			for i := range 25 {
				var r flow.Receipt
				err := db.Update(t.Context(), func(tx store.Tx) (err error) {
					r, err = l.Append(tx, event(c*100+i), audit.Private{Sealed: []byte{byte(i)}})
					if i%5 == 0 {
						return errors.New("rolled back")
					}
					return err
				})
				if err == nil {
					mu.Lock()
					seen[r.Seq] = r.Hash
					mu.Unlock()
				}
			}
		})
	}
	wg.Go(func() {
		for range 5 {
			if _, err := l.Verify(t.Context()); err != nil {
				t.Error(err)
			}
			checkpoint(t, l)
		}
	})
	wg.Wait()
	if err := l.Close(t.Context()); err != nil {
		t.Error(err)
	}
	report, err := l.Verify(t.Context())
	if err != nil || report.Entries != 160 || report.Covered != 160 || report.Archived < 1 {
		t.Errorf("Verify() = %+v, %v, want 160 entries in the tree, and what was archived fits", report, err)
	}
	for e := range l.Entries(t.Context(), audit.Query{}) {
		if seen[e.Seq] != e.Hash {
			t.Errorf("entry %d is not what its receipt says", e.Seq)
		}
	}
	if len(seen) != 160 {
		t.Errorf("there are %d receipts, want 160", len(seen))
	}
}

// eventually waits for what the background does.
func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); !ok(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("not in a minute: %s", what)
		}
	}
}

func TestRowsReachTheTreeByThemselves(t *testing.T) {
	db := storetest.Open(t, audit.Schema())
	kept := t.TempDir()
	l := openLog(t, db, audit.Options{Publish: time.Millisecond, Every: 4, Archive: kept})
	grown := l.Grown()
	write(t, db, l, 1, 9)
	<-grown
	eventually(t, "rows are in the tree", func() bool { return l.Sequenced() == 9 })
	eventually(t, "the tree is published", func() bool {
		signed, err := l.Tree("").Checkpoint(t.Context())
		if err != nil {
			return false
		}
		c, err := tile.ParseCheckpoint(signed, origin, l.Key())
		return err == nil && c.Size == 10
	})
	eventually(t, "a checkpoint is archived", func() bool { notes, err := audit.ReadArchive(kept); return err == nil && len(notes) > 0 })
	if tree, ok := l.TreeOf(9); !ok || tree != (audit.Tree{Name: "all", Origin: origin, First: 1}) || tree.Index(9) != 9 {
		t.Errorf("TreeOf(9) = %+v, %v", tree, ok)
	}
	if _, ok := l.TreeOf(10); ok {
		t.Error("TreeOf(10) knows a row that is not there")
	}
}

func TestAnotherCheckpointOfTheSameRowsIsTheSame(t *testing.T) {
	db := storetest.Open(t, audit.Schema())
	l := openLog(t, db, audit.Options{})
	if empty := checkpoint(t, l); empty.Note != nil {
		t.Errorf("checkpoint of an empty journal covers %d leaves, want none", empty.Size)
	}
	write(t, db, l, 1, 1)
	if a, b := checkpoint(t, l), checkpoint(t, l); !bytes.Equal(a.Note, b.Note) || a.Size != 2 {
		t.Errorf("two checkpoints of one row are\n%s\n%s", a.Note, b.Note)
	}
}

func TestReopen(t *testing.T) {
	dir := t.TempDir()
	for i := range 4 {
		db := storetest.OpenDir(t, dir, audit.Schema())
		l := openLog(t, db, audit.Options{})
		write(t, db, l, 3*i+1, 3*i+3)
		if err := l.Close(t.Context()); err != nil {
			t.Fatal(err)
		}
		if report, err := l.Verify(t.Context()); err != nil || report.Entries != int64(3*i+3) {
			t.Fatalf("Verify() = %+v, %v, want %d entries", report, err, 3*i+3)
		}
		if err := db.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

func TestAppendRefuses(t *testing.T) {
	db := storetest.Open(t, audit.Schema())
	l := openLog(t, db, audit.Options{})
	appendOne := func(ev flow.Event) error {
		return db.Update(t.Context(), func(tx store.Tx) error { _, err := l.Append(tx, ev, audit.Private{}); return err })
	}
	for name, ev := range map[string]flow.Event{
		"an event that is too large": {Reason: strings.Repeat("x", 64<<10)},
		"an id that is not text":     {Flow: flow.Flow{ID: "\xff"}},
		"a year after 9999":          {Time: time.Date(12000, 1, 1, 0, 0, 0, 0, time.UTC)},
	} {
		if err := appendOne(ev); !errors.Is(err, audit.ErrEvent) {
			t.Errorf("%s: Append() error = %v, want ErrEvent", name, err)
		}
	}
	if err := appendOne(flow.Event{}); err != nil {
		t.Errorf("an empty event: Append() error = %v, want nil", err)
	}
	for e := range l.Entries(t.Context(), audit.Query{}) {
		if !e.Event.Time.Equal(clock()) {
			t.Errorf("an event without a time got %s, want the clock's", e.Event.Time)
		}
	}
	if err := errors.Join(l.Close(t.Context()), l.Close(t.Context())); err != nil {
		t.Errorf("Close() error = %v, want nil", err)
	}
	if err := appendOne(flow.Event{}); !errors.Is(err, audit.ErrClosed) {
		t.Errorf("Append() after Close: error = %v, want ErrClosed", err)
	}
}

func TestOpenRefuses(t *testing.T) {
	db := storetest.Open(t, audit.Schema())
	other, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	if _, err := audit.Open(t.Context(), db, origin, other, audit.Options{Dir: dir}); !errors.Is(err, audit.ErrSigner) {
		t.Errorf("Open() with an RSA key: error = %v, want ErrSigner", err)
	}
	if _, err := audit.Open(t.Context(), db, origin, nil, audit.Options{Dir: dir}); !errors.Is(err, audit.ErrSigner) {
		t.Errorf("Open() without a key: error = %v, want ErrSigner", err)
	}
	for _, o := range []string{"", "two words", "a+b", "a\nb", "a\x00b", "\xff"} {
		if _, err := audit.Open(t.Context(), db, o, key(1), audit.Options{Dir: dir}); !errors.Is(err, audit.ErrOrigin) {
			t.Errorf("Open() for origin %q: error = %v, want ErrOrigin", o, err)
		}
	}
	l := openLog(t, db, audit.Options{Dir: dir})
	write(t, db, l, 1, 1)
	checkpoint(t, l)
	if _, err := audit.Open(t.Context(), db, origin, key(1), audit.Options{Dir: dir}); !errors.Is(err, tile.ErrLocked) {
		t.Errorf("Open() a second time: error = %v, want ErrLocked", err)
	}
	if err := l.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := audit.Open(t.Context(), db, "another.example", key(1), audit.Options{Dir: dir}); !errors.Is(err, tile.ErrCorrupt) {
		t.Errorf("Open() for another origin: error = %v, want ErrCorrupt", err)
	}
}

func TestArchive(t *testing.T) {
	db := storetest.Open(t, audit.Schema())
	dir := filepath.Join(t.TempDir(), "archive")
	l := openLog(t, db, audit.Options{Archive: dir, Publish: time.Hour}) // or else the background archives one between two rows of a slow machine
	write(t, db, l, 1, 3)
	c := checkpoint(t, l)
	write(t, db, l, 4, 5)
	checkpoint(t, l)
	notes, err := audit.ReadArchive(dir)
	if err != nil || len(notes) != 2 || !bytes.Equal(notes[0], c.Note) {
		t.Fatalf("the archive holds %d notes (error %v), want 2", len(notes), err)
	}
	report, err := l.Verify(t.Context())
	if err != nil || report.Archived != 2 {
		t.Errorf("Verify() = %+v, %v, want 2 archived checkpoints", report, err)
	}
	files, _ := os.ReadDir(filepath.Join(dir, "all"))
	if len(files) != 2 || !strings.HasPrefix(files[0].Name(), "20261122T193000Z-") {
		t.Errorf("the archive holds %v, want two files that begin with their date", files)
	}
	for _, f := range files {
		if info, _ := f.Info(); info.Mode().Perm()&0o077 != 0 {
			t.Errorf("%s can be read by others", f.Name())
		}
	}
}
