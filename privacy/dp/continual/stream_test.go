package continual_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"

	"github.com/scrimhq/scrim/privacy/dp/continual"
	"github.com/scrimhq/scrim/privacy/dp/noise"
	"github.com/scrimhq/scrim/store"
	"github.com/scrimhq/scrim/store/storetest"
)

// kinds are streams with some of everything: two values a step, epochs of 5, 10 and 20 steps, noise far above 1.
func kinds() map[string]continual.Params {
	p := continual.Params{
		Method: continual.Tree, Keys: 2, Horizon: 5, Epochs: 3, Rho: 1_000_000, Window: 6,
		Contribution: continual.Contribution{Steps: 2, Apart: 3, Keys: 2, Most: 1 << 20},
	}
	narrow, wide := p, p
	narrow.Method, narrow.Band = continual.SquareRoot, 3
	wide.Method, wide.Band, wide.Window = continual.SquareRoot, 1000, 0
	return map[string]continual.Params{"tree": p, "band 3": narrow, "band 1000": wide}
}

func known(seed byte) *noise.Source {
	return noise.SourceFrom(rand.NewChaCha8([32]byte{seed}))
}

// A stream that is closed and opened before every step releases what one does that never was: nothing of the noise is lost, and nothing is drawn again.
func TestARestartChangesNothing(t *testing.T) {
	for name, p := range kinds() {
		var all [2][]continual.Release
		for i := range all {
			h := openHouse(t)
			h.opt.Random = known(9)
			h.reopen(t)
			s := h.create(t, "visits", p)
			for step := int64(1); step <= 35; step++ {
				all[i] = append(all[i], add(t, s, step, step*1000, -7))
				if i == 0 {
					continue
				}
				h.restart(t)
				var err error
				if s, err = h.Stream(t.Context(), "visits"); err != nil {
					t.Fatal(err)
				}
				if again := add(t, s, step, step*1000, -7); !slices.Equal(again.Sums, all[i][step-1].Sums) {
					t.Fatalf("%s, step %d: released %v, after a restart %v", name, step, all[i][step-1].Sums, again.Sums)
				}
			}
			if n := len(h.till.charges); n != 3 {
				t.Errorf("%s: %d charges, want 3", name, n)
			}
		}
		for i := range all[0] {
			if !slices.Equal(all[0][i].Sums, all[1][i].Sums) {
				t.Fatalf("%s, step %d: released %v, with restarts %v", name, i+1, all[0][i].Sums, all[1][i].Sums)
			}
		}
	}
}

func TestStepsAreTakenOnceAndInOrder(t *testing.T) {
	for _, p := range kinds() {
		h := openHouse(t)
		s := h.create(t, "visits", p)
		_, err := s.Add(t.Context(), 2, []int64{1, 1})
		wantErr(t, err, continual.ErrGap)
		_, err = s.Add(t.Context(), 0, []int64{1, 1})
		wantErr(t, err, continual.ErrPast)
		_, err = s.Add(t.Context(), 1, []int64{1})
		wantErr(t, err, continual.ErrParams)
		first := add(t, s, 1, 3, 4)
		for range 3 {
			if again := add(t, s, 1, 3, 4); !slices.Equal(again.Sums, first.Sums) {
				t.Fatalf("step 1 again: %v, want %v", again.Sums, first.Sums)
			}
		}
		r, err := s.Add(t.Context(), 1, []int64{3, 5})
		wantErr(t, err, continual.ErrConflict)
		if r.Sums != nil {
			t.Error("a refused step has sums")
		}
		add(t, s, 2, 0, 0)
		_, err = s.Add(t.Context(), 1, []int64{3, 4})
		wantErr(t, err, continual.ErrPast)
		_, err = s.Add(t.Context(), 4, []int64{3, 4})
		wantErr(t, err, continual.ErrGap)
		for step := int64(3); step <= 35; step++ {
			add(t, s, step, 1, 1)
		}
		_, err = s.Add(t.Context(), 36, []int64{1, 1})
		wantErr(t, err, continual.ErrEnded)
		add(t, s, 35, 1, 1) // still known
	}
}

func TestEachEpochIsPaidForBeforeItsFirstStep(t *testing.T) {
	h := openHouse(t)
	p := kinds()["band 3"]
	broke := errors.New("nothing left")
	h.till.refuse = broke
	_, err := h.Create(t.Context(), "visits", p)
	wantErr(t, err, broke)
	s, err := h.Stream(t.Context(), "visits")
	if err != nil {
		t.Fatal(err)
	}
	_, err = s.Add(t.Context(), 1, []int64{1, 1})
	wantErr(t, err, broke)
	h.till.refuse = nil
	for step := int64(1); step <= 5; step++ {
		add(t, s, step, 1, 1)
	}
	h.till.refuse = broke
	_, err = s.Add(t.Context(), 6, []int64{1, 1})
	wantErr(t, err, broke)
	again := add(t, s, 5, 1, 1) // what was paid for is not lost
	h.till.refuse = nil
	add(t, s, 6, 1, 1)
	if err := s.Extend(t.Context()); err != nil { // ahead of time
		t.Fatal(err)
	}
	wantErr(t, s.Extend(t.Context()), continual.ErrEnded)
	h.till.refuse = broke
	for step := int64(7); step <= 35; step++ {
		add(t, s, step, 1, 1)
	}
	if again.Step != 5 || len(h.till.charges) != 3 {
		t.Fatalf("%d charges, want 3", len(h.till.charges))
	}
	first := int64(1)
	for n, c := range h.till.charges {
		cost, err := p.Cost(n)
		if err != nil {
			t.Fatal(err)
		}
		if c.Epoch != n || c.First != first || c.Steps != 5<<n || c.Cost != cost || c.Stream != "visits" {
			t.Errorf("charge %d is %+v", n, c)
		}
		first += int64(c.Steps)
	}
}

// A crash between charge and epoch asks for the same charge again; another stream of the same name is charged anew.
func TestKeysOfChargesAreOfOneStream(t *testing.T) {
	h := openHouse(t)
	p := kinds()["tree"]
	s := h.create(t, "visits", p)
	h.create(t, "visits", p)
	if len(h.till.charges) != 1 {
		t.Fatalf("%d charges for one stream, want 1", len(h.till.charges))
	}
	other := p
	other.Rho++
	_, err := h.Create(t.Context(), "visits", other)
	wantErr(t, err, continual.ErrExists)
	if err := h.Drop(t.Context(), "visits"); err != nil {
		t.Fatal(err)
	}
	wantErr(t, h.Drop(t.Context(), "visits"), continual.ErrNoStream)
	_, err = s.Add(t.Context(), 1, []int64{1, 1})
	wantErr(t, err, continual.ErrNoStream)
	h.create(t, "visits", p)
	_, err = s.Add(t.Context(), 1, []int64{1, 1}) // the handle is of the stream that is gone
	wantErr(t, err, continual.ErrNoStream)
	if len(h.till.charges) != 2 || h.till.charges[0].Key == h.till.charges[1].Key {
		t.Errorf("charges are %+v, want two with keys of their own", h.till.charges)
	}
}

func TestWindowsAreDifferencesOfReleases(t *testing.T) {
	for name, p := range kinds() {
		h := openHouse(t)
		s := h.create(t, "visits", p)
		released := []continual.Release{{Sums: []int64{0, 0}}}
		for step := int64(1); step <= 35; step++ {
			released = append(released, add(t, s, step, step, 1))
			for width := 1; width <= p.Window; width++ {
				w, err := s.Window(t.Context(), width)
				if err != nil {
					t.Fatalf("%s: Window(%d) error = %v", name, width, err)
				}
				from := max(1, step-int64(width)+1)
				for k := range 2 {
					if want := released[step].Sums[k] - released[from-1].Sums[k]; w.Sums[k] != want || w.From != from || w.Step != step {
						t.Fatalf("%s: Window(%d) after step %d = %+v, want %d", name, width, step, w, want)
					}
				}
			}
		}
		_, err := s.Window(t.Context(), p.Window+1)
		wantErr(t, err, continual.ErrWindow)
	}
}

func TestManyHandlesTakeAStepOnce(t *testing.T) {
	for name, p := range kinds() {
		h := openHouse(t)
		h.create(t, "visits", p)
		var mu sync.Mutex
		released := map[int64][]int64{}
		var wg sync.WaitGroup
		for range 4 {
			s, err := h.Stream(t.Context(), "visits")
			if err != nil {
				t.Fatal(err)
			}
			for range 2 {
				wg.Go(func() {
					for step := int64(1); step <= 20; {
						r, err := s.Add(t.Context(), step, []int64{step, -step})
						if errors.Is(err, continual.ErrPast) { // others were faster
							step++
							continue
						}
						if err != nil {
							t.Errorf("%s: Add(%d) error = %v", name, step, err)
							return
						}
						mu.Lock()
						if old, ok := released[step]; ok && !slices.Equal(old, r.Sums) {
							t.Errorf("%s: step %d was released as %v and %v", name, step, old, r.Sums)
						}
						released[step] = r.Sums
						mu.Unlock()
						step++
					}
				})
			}
		}
		wg.Wait()
		if len(released) != 20 || len(h.till.charges) != 3 {
			t.Errorf("%s: %d steps and %d charges, want 20 and 3", name, len(released), len(h.till.charges))
		}
	}
}

func TestAStepWhoseJournalFailsIsNotTaken(t *testing.T) {
	h := openHouse(t)
	full := errors.New("journal is full")
	var seen []continual.Release
	h.opt.Journal = func(_ store.Tx, r continual.Release) error {
		if r.Step == 3 && len(seen) == 2 {
			seen = append(seen, r)
			return full
		}
		seen = append(seen, r)
		return nil
	}
	h.reopen(t)
	s := h.create(t, "visits", kinds()["band 3"])
	add(t, s, 1, 1, 1)
	add(t, s, 2, 1, 1)
	_, err := s.Add(t.Context(), 3, []int64{1, 1})
	wantErr(t, err, full)
	if last, err := s.Last(t.Context()); err != nil || last.Step != 2 {
		t.Errorf("Last() = step %d, %v, want 2", last.Step, err)
	}
	r := add(t, s, 3, 1, 1)
	if slices.Equal(r.Sums, seen[2].Sums) {
		t.Error("the noise of a step that was not taken was used for another")
	}
}

func TestNothingOfAStreamIsPlainOnDisk(t *testing.T) {
	storetest.NeedsDirectory(t)
	h := openHouse(t)
	const canary = 0x5ca1ab1e0ddba115
	s := h.create(t, "visits", kinds()["tree"])
	p := kinds()["band 3"]
	p.Rho = 1_000_000_000_000
	other := h.create(t, "others", p)
	var r continual.Release
	for step := int64(1); step <= 3; step++ {
		add(t, s, step, canary&(1<<40-1), canary>>24)
		r = add(t, other, step, canary, 0)
	}
	h.restart(t)
	words := [][]byte{binary.BigEndian.AppendUint64(nil, canary), binary.BigEndian.AppendUint64(nil, canary>>24), binary.BigEndian.AppendUint64(nil, uint64(r.Sums[0]))}
	read := 0
	err := filepath.WalkDir(h.dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		b, err := os.ReadFile(path)
		read += len(b)
		for i, w := range words {
			if bytes.Contains(b, w) {
				t.Errorf("value %d is plain in %s", i, d.Name())
			}
		}
		return err
	})
	if err != nil || read < 4096 {
		t.Fatalf("read %d bytes, error = %v", read, err)
	}
}

func TestStateThatWasTamperedWithIsRefused(t *testing.T) {
	swap := `UPDATE continual_steps SET sealed = (SELECT c.sealed FROM continual_steps c WHERE c.stream = 'visits' AND c.step = 7) WHERE step = 8`
	for name, query := range map[string]string{
		"a head of another step":   `UPDATE continual_streams SET step = 7`,
		"a head of another stream": `UPDATE continual_streams SET head = (SELECT o.head FROM continual_streams o WHERE o.stream = 'others') WHERE stream = 'visits'`,
		"no head":                  `UPDATE continual_streams SET head = instance`,
		"a step for another":       swap,
		"a missing step":           `DELETE FROM continual_steps WHERE step = 7`,
		"an epoch less":            `UPDATE continual_streams SET epochs = 1`,
		"bytes of the head":        `UPDATE continual_streams SET head = substr(head, 1, 40) || instance || substr(head, 57)`,
	} {
		h := openHouse(t)
		p := kinds()["band 3"]
		s, other := h.create(t, "visits", p), h.create(t, "others", p)
		for step := int64(1); step <= 8; step++ {
			add(t, s, step, 1, 1)
			add(t, other, step, 1, 1)
		}
		err := h.db.Update(t.Context(), func(tx store.Tx) error { _, err := tx.Exec(query); return err })
		if err != nil {
			t.Fatal(err)
		}
		if _, err := h.Stream(t.Context(), "visits"); !errors.Is(err, continual.ErrSealed) {
			t.Errorf("%s: Stream() error = %v, want ErrSealed", name, err)
		}
	}
	h := openHouse(t)
	add(t, h.create(t, "visits", kinds()["tree"]), 1, 1, 1)
	h.opt.Seal = aead(2)
	h.reopen(t)
	_, err := h.Stream(t.Context(), "visits")
	wantErr(t, err, continual.ErrSealed)
	_, err = continual.Open(h.db, continual.Options{Seal: aead(1)})
	if err == nil {
		t.Error("Open() without a charge succeeded")
	}
}
