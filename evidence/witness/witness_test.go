package witness

import (
	"bytes"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"

	"github.com/scrimhq/scrim/evidence/tile"
	"github.com/scrimhq/scrim/store"
	"github.com/scrimhq/scrim/store/storetest"
)

const origin = "scrim.dev/log/hospital"

// keeper keeps a log in memory, and may keep several histories of it.
type keeper struct {
	t      testing.TB
	origin string
	key    ed25519.PrivateKey
	leaves []string
	stored []tlog.Hash
}

func newKeeper(t testing.TB, origin string) *keeper {
	_, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return &keeper{t: t, origin: origin, key: key}
}

func (k *keeper) read(indexes []int64) ([]tlog.Hash, error) {
	var out []tlog.Hash
	for _, i := range indexes {
		out = append(out, k.stored[i])
	}
	return out, nil
}

func (k *keeper) add(leaves ...string) *keeper {
	for _, l := range leaves {
		h, err := tlog.StoredHashes(int64(len(k.leaves)), []byte(l), tlog.HashReaderFunc(k.read))
		if err != nil {
			k.t.Fatal(err)
		}
		k.leaves, k.stored = append(k.leaves, l), append(k.stored, h...)
	}
	return k
}

func (k *keeper) grow(n int) *keeper {
	for range n {
		k.add(fmt.Sprint("leaf ", len(k.leaves)))
	}
	return k
}

// branch is another history that shares the first n leaves.
func (k *keeper) branch(n int, leaves ...string) *keeper {
	b := &keeper{t: k.t, origin: k.origin, key: k.key}
	return b.add(k.leaves[:n]...).add(leaves...)
}

func (k *keeper) checkpoint() tile.Checkpoint {
	root, err := tlog.TreeHash(int64(len(k.leaves)), tlog.HashReaderFunc(k.read))
	if len(k.leaves) == 0 {
		root, err = emptyRoot, nil
	}
	if err != nil {
		k.t.Fatal(err)
	}
	s, err := tile.NewSigner(k.origin, k.key)
	if err != nil {
		k.t.Fatal(err)
	}
	c, err := tile.Checkpoint{Origin: k.origin, Size: int64(len(k.leaves)), Root: root}.Sign(s)
	if err != nil {
		k.t.Fatal(err)
	}
	return c
}

func (k *keeper) prove(old int64) (tlog.TreeProof, error) {
	return tlog.ProveTree(int64(len(k.leaves)), old, tlog.HashReaderFunc(k.read))
}

func (k *keeper) request(old int64) Request {
	r := Request{Old: old, Note: k.checkpoint().Note}
	if old > 0 && old < int64(len(k.leaves)) {
		p, err := k.prove(old)
		if err != nil {
			k.t.Fatal(err)
		}
		r.Proof = p
	}
	return r
}

func (k *keeper) log() Log {
	return Log{Origin: k.origin, Keys: []ed25519.PublicKey{k.key.Public().(ed25519.PublicKey)}}
}

func newDB(t testing.TB) store.DB {
	t.Helper()
	return storetest.Open(t, Schema())
}

func newWitness(t testing.TB, db store.DB, opt Options, logs ...Log) (*Witness, Peer) {
	t.Helper()
	_, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	w, err := New(db, "scrim.dev/witness/insurer", key, logs, opt)
	if err != nil {
		t.Fatal(err)
	}
	p, err := ParsePeer(w.Key(), "https://insurer.example/witness/")
	if err != nil {
		t.Fatal(err)
	}
	return w, p
}

func must(t testing.TB, line []byte, err error) []byte {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	return line
}

func TestAWitnessCosignsWhatContinues(t *testing.T) {
	k := newKeeper(t, origin)
	now := time.Unix(1_800_000_000, 0)
	w, peer := newWitness(t, newDB(t), Options{Clock: func() time.Time { return now }}, k.log())
	for _, n := range []int{0, 1, 1, 255, 2} {
		old := int64(len(k.leaves))
		k.grow(n)
		line, err := w.Add(t.Context(), k.request(old))
		must(t, line, err)
		signed := append(k.checkpoint().Note, line...)
		if at, err := Cosigned(signed, []Peer{peer}); err != nil || !at[peer.Name].Equal(now) {
			t.Errorf("size %d: cosigned %v, error %v", len(k.leaves), at, err)
		}
		if _, err := note.Open(signed, note.VerifierList(peer.Verifier())); err != nil { // x/mod takes it too
			t.Error(err)
		}
	}
	now = now.Add(-time.Hour) // the clock goes back; what the witness states does not
	line, err := w.Add(t.Context(), k.request(int64(len(k.leaves))))
	must(t, line, err)
	if at, _ := Cosigned(append(k.checkpoint().Note, line...), []Peer{peer}); !at[peer.Name].Equal(now.Add(time.Hour)) {
		t.Errorf("cosigned at %v, want not before %v", at[peer.Name], now.Add(time.Hour))
	}
	all, err := w.Logs(t.Context())
	if err != nil || len(all) != 1 || all[0].Size != 259 || all[0].Root != k.checkpoint().Root {
		t.Errorf("logs %v, error %v", all, err)
	}
}

func TestAWitnessRefuses(t *testing.T) {
	k := newKeeper(t, origin).grow(10)
	stranger := newKeeper(t, "scrim.dev/log/stranger").grow(3)
	thief := newKeeper(t, origin).grow(12)
	w, _ := newWitness(t, newDB(t), Options{}, k.log())
	if _, err := w.Add(t.Context(), k.request(0)); err != nil {
		t.Fatal(err)
	}
	short := k.branch(5)
	k.grow(10)
	bent := k.request(10)
	bent.Proof = slices.Clone(bent.Proof)
	bent.Proof[0][3] ^= 1
	other := k.branch(9, "another", "and", "more")
	for name, tc := range map[string]struct {
		req  Request
		want error
	}{
		"another's log":                    {stranger.request(0), ErrUnknown},
		"another's key":                    {thief.request(0), ErrSignature},
		"a log that is called alike":       {newKeeper(t, origin+"x").grow(1).request(0), ErrUnknown},
		"a period with an odd name":        {newKeeper(t, origin+"/../2026").grow(1).request(0), ErrUnknown},
		"the wrong old size":               {k.request(9), ErrConflict},
		"the beginning again":              {k.request(0), ErrConflict},
		"an old size beyond":               {Request{Old: 21, Note: k.checkpoint().Note}, ErrRequest},
		"no proof":                         {Request{Old: 10, Note: k.checkpoint().Note}, ErrProof},
		"a bent proof":                     {bent, ErrProof},
		"another history":                  {Request{Old: 10, Proof: other.request(9).Proof, Note: other.checkpoint().Note}, ErrProof},
		"a shorter log":                    {short.request(0), ErrConflict},
		"a shorter log, from itself":       {short.request(5), ErrConflict},
		"a checkpoint without a signature": {Request{Old: 10, Note: []byte(origin + "\n20\n" + base64.StdEncoding.EncodeToString(make([]byte, 32)) + "\n\n")}, ErrRequest},
		"no checkpoint":                    {Request{}, ErrUnknown},
		"a huge one":                       {Request{Note: append(k.checkpoint().Note, make([]byte, 1<<17)...)}, ErrRequest},
	} {
		t.Run(name, func(t *testing.T) {
			line, err := w.Add(t.Context(), tc.req)
			if !errors.Is(err, tc.want) || line != nil {
				t.Errorf("line %q, error %v, want %v", line, err, tc.want)
			}
		})
	}
	if all, _ := w.Logs(t.Context()); len(all) != 1 || all[0].Size != 10 {
		t.Errorf("logs %v, want size 10", all)
	}
	if c, _ := errors.AsType[*Conflict](errorOf(w.Add(t.Context(), k.request(3)))); c == nil || c.Size != 10 {
		t.Errorf("conflict %+v, want size 10", c)
	}
	if _, err := w.Add(t.Context(), k.request(10)); err != nil {
		t.Errorf("after all that: %v", err)
	}
}

func errorOf[T any](_ T, err error) error { return err }

// Two checkpoints of one size: refused, kept as proof, told once; and a bad proof alone, which anybody can send, accuses nobody.
func TestEquivocationIsRefusedRecordedAndTold(t *testing.T) {
	k := newKeeper(t, origin).grow(10)
	var told, recorded []Equivocation
	db := newDB(t)
	w, _ := newWitness(t, db, Options{
		Found:  func(e Equivocation) { told = append(told, e) },
		Record: func(_ store.Tx, e Equivocation) error { recorded = append(recorded, e); return nil },
	}, k.log())
	must(t, nil, errorOf(w.Add(t.Context(), k.request(0))))
	first := k.checkpoint().Note
	fork := k.branch(9, "another")
	k.grow(5)
	must(t, nil, errorOf(w.Add(t.Context(), k.request(10))))

	bad := k.grow(1).request(15)
	bad.Proof = bad.Proof[1:]
	if err := errorOf(w.Add(t.Context(), bad)); !errors.Is(err, ErrProof) || len(told) != 0 {
		t.Errorf("error %v, %d told: a proof that anybody can bend accuses a log", err, len(told))
	}
	for _, r := range []Request{fork.request(0), fork.request(10), fork.request(9)} { // also at a size that is long past
		c, _ := errors.AsType[*Conflict](errorOf(w.Add(t.Context(), r)))
		if c == nil || !c.Fork {
			t.Errorf("conflict %+v, want a fork", c)
		}
	}
	all, err := Equivocations(t.Context(), db)
	if err != nil || len(all) != 1 || len(told) != 1 || len(recorded) != 1 {
		t.Fatalf("%d on record, %d told, %d recorded, error %v; want one each", len(all), len(told), len(recorded), err)
	}
	e := all[0]
	if e.Size != 10 || !bytes.Equal(e.First, first) || !bytes.Equal(e.Second, fork.checkpoint().Note) {
		t.Errorf("the two notes are not those that were signed: %+v", e)
	}
	for _, n := range [][]byte{e.First, e.Second} { // proof for everybody who has the key
		if _, err := tile.ParseCheckpoint(n, origin, k.log().Keys...); err != nil {
			t.Error(err)
		}
	}
	must(t, nil, errorOf(w.Add(t.Context(), k.request(15)))) // the history that was cosigned goes on
}

func TestWhatCannotBeRecordedIsNotAnswered(t *testing.T) {
	k := newKeeper(t, origin).grow(10)
	broken := errors.New("the journal is full")
	db := newDB(t)
	w, _ := newWitness(t, db, Options{Found: func(Equivocation) { t.Error("told, and not on record") }, Record: func(store.Tx, Equivocation) error { return broken }}, k.log())
	must(t, nil, errorOf(w.Add(t.Context(), k.request(0))))
	if err := errorOf(w.Add(t.Context(), k.branch(9, "x").request(0))); !errors.Is(err, broken) {
		t.Errorf("error %v, want %v", err, broken)
	}
	if all, _ := Equivocations(t.Context(), db); len(all) != 0 {
		t.Errorf("%d on record", len(all))
	}
}

func TestPeriodsAreLogsOfTheirOwn(t *testing.T) {
	k := newKeeper(t, origin)
	w, _ := newWitness(t, newDB(t), Options{}, k.log())
	for _, p := range []string{"2026", "2026-q4", "2026-11-27"} {
		year := &keeper{t: t, origin: origin + "/" + p, key: k.key}
		must(t, nil, errorOf(w.Add(t.Context(), year.grow(3).request(0))))
	}
	if all, _ := w.Logs(t.Context()); len(all) != 3 {
		t.Errorf("%d logs, want 3", len(all))
	}
}

// The last of many requests at once is the longest tree, whatever their order: none goes back.
func TestRequestsAtOnceNeverGoBack(t *testing.T) {
	k := newKeeper(t, origin).grow(4)
	db := newDB(t)
	w, _ := newWitness(t, db, Options{Burst: 1000}, k.log())
	must(t, nil, errorOf(w.Add(t.Context(), k.request(0))))
	var reqs []Request
	for range 20 {
		k.grow(1)
		reqs = append(reqs, k.request(4))
	}
	var mu sync.Mutex
	var won int
	var wg sync.WaitGroup
	for _, r := range reqs {
		wg.Go(func() {
			if _, err := w.Add(t.Context(), r); err == nil {
				mu.Lock()
				won++
				mu.Unlock()
			} else if !errors.Is(err, ErrConflict) {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if won != 1 {
		t.Errorf("%d requests that begin at 4 were cosigned, want one", won)
	}
}

func TestALogHasItsRate(t *testing.T) {
	k, other := newKeeper(t, origin), newKeeper(t, "scrim.dev/log/lab").grow(1)
	now := time.Unix(1_800_000_000, 0)
	w, _ := newWitness(t, newDB(t), Options{Clock: func() time.Time { return now }, Rate: 1, Burst: 3}, k.log(), other.log())
	for range 3 {
		old := int64(len(k.leaves))
		must(t, nil, errorOf(w.Add(t.Context(), k.grow(1).request(old))))
	}
	next := k.grow(1).request(3)
	if err := errorOf(w.Add(t.Context(), next)); !errors.Is(err, ErrBusy) {
		t.Errorf("error %v, want ErrBusy", err)
	}
	thief := &keeper{t: t, origin: "scrim.dev/log/lab", key: k.key}
	for range 10 { // what others did not sign uses nothing up
		_, _ = w.Add(t.Context(), thief.grow(1).request(0))
	}
	must(t, nil, errorOf(w.Add(t.Context(), other.request(0))))
	now = now.Add(time.Second)
	must(t, nil, errorOf(w.Add(t.Context(), next)))
}

func TestWhatIsRememberedIsBounded(t *testing.T) {
	k := newKeeper(t, origin)
	db := newDB(t)
	w, _ := newWitness(t, db, Options{Burst: 100, Keep: 5}, k.log())
	for range 12 {
		old := int64(len(k.leaves))
		must(t, nil, errorOf(w.Add(t.Context(), k.grow(1).request(old))))
	}
	var n, least int
	if err := db.View(t.Context(), func(tx store.Tx) error {
		return tx.QueryRow("SELECT count(*), min(size) FROM witness_checkpoints").Scan(&n, &least)
	}); err != nil {
		t.Fatal(err)
	}
	if n != 5 || least != 8 {
		t.Errorf("%d checkpoints from size %d, want 5 from 8", n, least)
	}
}

func TestOverHTTP(t *testing.T) {
	k := newKeeper(t, origin).grow(10)
	w, peer := newWitness(t, newDB(t), Options{}, k.log())
	s := httptest.NewServer(http.StripPrefix("/witness", w.Handler()))
	defer s.Close()
	post := func(body string) (int, string, string) {
		t.Helper()
		resp, err := http.Post(s.URL+"/witness/add-checkpoint", "text/plain", strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		b, err := io.ReadAll(resp.Body)
		if err != nil {
			t.Fatal(err)
		}
		return resp.StatusCode, resp.Header.Get("Content-Type"), string(b)
	}
	code, _, body := post(string(k.request(0).Bytes()))
	if at, err := Cosigned(append(k.checkpoint().Note, body...), []Peer{peer}); code != 200 || err != nil || len(at) != 1 {
		t.Errorf("%d %q, error %v", code, body, err)
	}
	short, fork := k.branch(3), k.branch(9, "x")
	good := string(k.grow(2).request(10).Bytes())
	for name, tc := range map[string]struct {
		body string
		code int
	}{
		"old size":          {string(short.request(0).Bytes()), 409},
		"another history":   {string(fork.request(10).Bytes()), 409},
		"unknown log":       {string(newKeeper(t, "x").grow(1).request(0).Bytes()), 404},
		"wrong key":         {string(newKeeper(t, origin).grow(1).request(0).Bytes()), 403},
		"wrong proof":       {strings.Replace(good, "\n", "\n"+base64.StdEncoding.EncodeToString(make([]byte, 32))+"\n", 1), 422},
		"nothing":           {"", 400},
		"leading zero":      {"old 0" + good[4:], 400},
		"64 lines of proof": {"old 10\n" + strings.Repeat(base64.StdEncoding.EncodeToString(make([]byte, 32))+"\n", 64) + good[strings.Index(good, "\n\n")+1:], 400},
		"half a line":       {strings.Replace(good, "\n", "\nAAAA\n", 1), 400},
		"too long":          {good + strings.Repeat("x", 1<<17), 400},
	} {
		code, kind, body := post(tc.body)
		if code != tc.code {
			t.Errorf("%s: status %d (%s), want %d", name, code, body, tc.code)
		}
		if name == "old size" && (kind != "text/x.tlog.size" || body != "10\n") {
			t.Errorf("%s: %s %q, want text/x.tlog.size and 10", name, kind, body)
		}
		if name == "another history" && kind == "text/x.tlog.size" {
			t.Error("a fork is answered like a size")
		}
	}
	if resp, err := http.Get(s.URL + "/witness/add-checkpoint"); err != nil || resp.StatusCode != http.StatusMethodNotAllowed {
		t.Errorf("GET: %v, error %v", resp, err)
	} else {
		resp.Body.Close()
	}
	if code, _, _ := post(good); code != 200 {
		t.Errorf("after all that: status %d", code)
	}
}

func TestKeysOfWitnessesAndLogs(t *testing.T) {
	k := newKeeper(t, origin)
	w, p := newWitness(t, newDB(t), Options{}, k.log())
	if p.Name != "scrim.dev/witness/insurer" || p.URL != "https://insurer.example/witness" {
		t.Errorf("peer %+v", p)
	}
	logKey, err := tile.VerifierKey(origin, k.log().Keys[0])
	if err != nil {
		t.Fatal(err)
	}
	if l, err := ParseLog(logKey); err != nil || l.Origin != origin || !l.Keys[0].Equal(k.log().Keys[0]) {
		t.Errorf("log %+v, error %v", l, err)
	}
	for _, bad := range []string{"", logKey, w.Key()[1:], w.Key() + "=", strings.Replace(w.Key(), "insurer", "lab", 1), w.Key()[:len(w.Key())-9] + "\n" + w.Key()[len(w.Key())-9:]} {
		if _, err := ParsePeer(bad, ""); !errors.Is(err, ErrKey) {
			t.Errorf("%q: error %v, want ErrKey", bad, err)
		}
	}
	if _, err := ParseLog(w.Key()); !errors.Is(err, ErrKey) {
		t.Errorf("a witness's key is taken for a log's: error %v", err)
	}
}

func FuzzRequest(f *testing.F) {
	k := newKeeper(f, origin).grow(7)
	f.Add(k.request(3).Bytes())
	f.Add([]byte("old 0\n\n" + origin + "\n0\n\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		r, err := ParseRequest(b)
		if err == nil && !bytes.Equal(r.Bytes(), b) {
			t.Errorf("%q is read as %q", b, r.Bytes())
		}
		if err != nil && !errors.Is(err, ErrRequest) {
			t.Errorf("error %v, want ErrRequest", err)
		}
	})
}

// A log that begins periods without end uses up its own room, and no other log's.
func TestALogTakesNoRoomFromOthers(t *testing.T) {
	k, other := newKeeper(t, origin), newKeeper(t, "scrim.dev/log/lab").grow(1)
	db := newDB(t)
	w, _ := newWitness(t, db, Options{}, k.log(), other.log())
	if err := db.Update(t.Context(), func(tx store.Tx) error {
		for i := range maxOrigins {
			if _, err := tx.Exec("INSERT INTO witness_logs (origin, size, root, time) VALUES (?, 1, ?, 1)", fmt.Sprint(origin, "/p", i), emptyRoot[:]); err != nil {
				return err
			}
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	year := &keeper{t: t, origin: origin + "/2026", key: k.key}
	if err := errorOf(w.Add(t.Context(), year.grow(1).request(0))); !errors.Is(err, ErrBusy) {
		t.Errorf("one period more: error %v, want ErrBusy", err)
	}
	must(t, nil, errorOf(w.Add(t.Context(), other.request(0))))
	must(t, nil, errorOf(w.Add(t.Context(), k.grow(1).request(0)))) // it is no period
}

// Whoever sends slowly keeps nobody else from being served.
func TestSlowSendersHoldNoPlace(t *testing.T) {
	k := newKeeper(t, origin).grow(1)
	w, _ := newWitness(t, newDB(t), Options{}, k.log())
	h := w.Handler()
	slow, end := io.Pipe()
	defer end.Close()
	begun := make(chan struct{}, 2*atOnce)
	for range 2 * atOnce {
		go h.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest(http.MethodPost, "/add-checkpoint", &told{slow, begun}))
	}
	for range atOnce {
		<-begun
	}
	rec := httptest.NewRecorder()
	h.ServeHTTP(rec, httptest.NewRequest(http.MethodPost, "/add-checkpoint", bytes.NewReader(k.request(0).Bytes())))
	if rec.Code != http.StatusOK {
		t.Errorf("status %d, want 200", rec.Code)
	}
}

// told is a body that tells when it is read.
type told struct {
	io.Reader
	begun chan struct{}
}

func (r *told) Read(b []byte) (int, error) {
	select {
	case r.begun <- struct{}{}:
	default:
	}
	return r.Reader.Read(b)
}
