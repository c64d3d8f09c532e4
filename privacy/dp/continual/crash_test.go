package continual_test

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/scrimhq/scrim/privacy/dp/continual"
	"github.com/scrimhq/scrim/store"
	"github.com/scrimhq/scrim/store/storetest"
)

// TestMain also runs as the victim of TestKilledProcessDrawsNothingTwice.
func TestMain(m *testing.M) {
	if dir := os.Getenv("SCRIM_CONTINUAL_VICTIM"); dir != "" {
		fmt.Fprintln(os.Stderr, takeSteps(dir))
		os.Exit(1)
	}
	os.Exit(m.Run())
}

func victimParams(m continual.Method) continual.Params {
	p := continual.Params{
		Method: m, Keys: 3, Horizon: 16, Epochs: 12, Rho: 1000, Window: 1000,
		Contribution: continual.Contribution{Steps: 1, Apart: 1, Keys: 1, Most: 1 << 20},
	}
	if m == continual.SquareRoot {
		p.Band = 8
	}
	return p
}

func victimStreams(dir string, charge func(context.Context, continual.Charge) error) (store.DB, *continual.Streams, error) {
	db, err := storetest.Dir(context.Background(), filepath.Join(dir, "db"), store.Options{}, continual.Schema())
	if err != nil {
		return nil, nil, err
	}
	s, err := continual.Open(db, continual.Options{Seal: aead(1), Charge: charge})
	return db, s, err
}

// takeSteps takes the steps of two streams until it is killed, beginning with the last one again. Each line on stdout is a release that a recipient has
// seen; each of the file is a charge.
func takeSteps(dir string) error {
	ctx := context.Background()
	_, streams, err := victimStreams(dir, func(_ context.Context, c continual.Charge) error {
		f, err := os.OpenFile(filepath.Join(dir, "charges"), os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
		if err != nil {
			return err
		}
		defer f.Close()
		_, err = fmt.Fprintf(f, "%s\t%s\t%d\n", c.Key, c.Stream, c.Epoch)
		return err
	})
	if err != nil {
		return err
	}
	var all []*continual.Stream
	step := int64(0)
	for _, m := range []continual.Method{continual.Tree, continual.SquareRoot} {
		s, err := streams.Create(ctx, string(m), victimParams(m))
		if err != nil {
			return err
		}
		last, err := s.Last(ctx)
		if err != nil {
			return err
		}
		step = max(step, last.Step)
		all = append(all, s)
	}
	for step = max(step, 1); ; step++ { // one of them may be a step behind, and takes it now
		for _, s := range all {
			r, err := s.Add(ctx, step, []int64{step, 1, -step})
			if err != nil {
				return err
			}
			fmt.Printf("%s\t%d\t%v\n", r.Stream, r.Step, r.Sums)
		}
	}
}

// A process is killed in the midst of steps, again and again. Whatever a recipient saw is what the store holds, no step was released with two draws of noise, and
// an epoch was charged under one key.
func TestKilledProcessDrawsNothingTwice(t *testing.T) {
	dir := t.TempDir()
	seen := map[string]string{}
	rounds := 6
	if os.Getenv("SCRIM_LONG") == "1" {
		rounds = 100
	}
	storetest.Prepare(t)
	for round := range rounds {
		cmd := exec.Command(os.Args[0])
		cmd.Env = append(os.Environ(), "SCRIM_CONTINUAL_VICTIM="+dir)
		cmd.Stderr = os.Stderr
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		n := 0
		for lines := bufio.NewScanner(out); lines.Scan(); {
			f := strings.Split(lines.Text(), "\t")
			if len(f) != 3 || !strings.HasSuffix(f[2], "]") {
				continue // cut by the kill
			}
			at := f[0] + " " + f[1]
			if old, ok := seen[at]; ok && old != f[2] {
				t.Fatalf("round %d: step %s was released as %s and as %s", round, at, old, f[2])
			}
			seen[at] = f[2]
			if n++; n == 23+round%13 {
				_ = cmd.Process.Kill()
			}
		}
		_ = cmd.Wait() // it was killed
		if n < 23 {
			t.Fatalf("round %d: only %d releases before the kill", round, n)
		}
		checkStored(t, dir, seen)
	}
	checkCharges(t, dir)
}

// checkStored compares what recipients saw with what is stored: each release, by the windows that end at the last one.
func checkStored(t *testing.T, dir string, seen map[string]string) {
	t.Helper()
	db, streams, err := victimStreams(dir, func(context.Context, continual.Charge) error { return fmt.Errorf("nothing is charged here") })
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	for _, m := range []continual.Method{continual.Tree, continual.SquareRoot} {
		s, err := streams.Stream(t.Context(), string(m))
		if err != nil {
			t.Fatal(err)
		}
		last, err := s.Last(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for width := range min(int(last.Step), 60) {
			sums := last.Sums
			if width > 0 {
				w, err := s.Window(t.Context(), width)
				if err != nil {
					t.Fatal(err)
				}
				sums = nil
				for k, x := range w.Sums {
					sums = append(sums, last.Sums[k]-x)
				}
			}
			at := fmt.Sprint(m, " ", last.Step-int64(width))
			if was, ok := seen[at]; ok && was != fmt.Sprint(sums) {
				t.Fatalf("step %s was released as %s and is stored as %v", at, was, sums)
			}
		}
	}
}

func checkCharges(t *testing.T, dir string) {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(dir, "charges"))
	if err != nil {
		t.Fatal(err)
	}
	keys := map[string]string{}
	for line := range strings.Lines(string(b)) {
		key, what, _ := strings.Cut(strings.TrimSpace(line), "\t")
		if old, ok := keys[what]; ok && old != key {
			t.Errorf("epoch %s was charged as %s and %s", what, old, key)
		}
		keys[what] = key
	}
	if len(keys) < 6 {
		t.Errorf("%d epochs were charged, want at least 6", len(keys))
	}
}
