package stream_test

import (
	"bufio"
	"context"
	"crypto/ed25519"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/scrimhq/scrim/data/sql/relation"
	"github.com/scrimhq/scrim/privacy/budget"
	"github.com/scrimhq/scrim/privacy/dp/continual"
	"github.com/scrimhq/scrim/privacy/dp/stream"
	"github.com/scrimhq/scrim/store"
	"github.com/scrimhq/scrim/store/storetest"
)

// TestMain also runs as the victim of TestKilledPublisherDrawsNothingTwice.
func TestMain(m *testing.M) {
	if dir := os.Getenv("SCRIM_STREAM_VICTIM"); dir != "" {
		fmt.Fprintln(os.Stderr, publish(dir))
		os.Exit(1)
	}
	os.Exit(m.Run())
}

// publish takes the steps of two streams until it is killed. Each line on stdout is a release that a reader has seen.
func publish(dir string) error {
	ctx := context.Background()
	db, err := storetest.Dir(ctx, filepath.Join(dir, "db"), store.Options{}, budget.Schema(), continual.Schema(), stream.Schema())
	if err != nil {
		return err
	}
	now := began
	clock := func() time.Time { return now }
	ledger, err := budget.Open(ctx, db, budget.Options{Signer: ed25519.NewKeyFromSeed(make([]byte, 32)), Seal: aead(2), Clock: clock, Skew: time.Minute})
	if err != nil {
		return err
	}
	b := patientDays()
	b.Plan.Epsilon = 900_000_000_000
	if err := ledger.Declare(ctx, b); err != nil {
		return err
	}
	h := &hospital{}
	for hour := range 300 { // rows come until the last moment, so that a step asked again may have other values
		h.admit(stay{fmt.Sprint(hour, os.Getpid()), wards[hour%3], began.Add(time.Duration(hour) * time.Hour), int64(os.Getpid() % 30)})
	}
	pub, err := stream.NewPublisher(stream.Options{
		DB: db, Seal: aead(1), Ledger: ledger, Clock: clock,
		Source: func(context.Context, string) (stream.Source, error) {
			return stream.Source{Engine: h, Seed: relation.Seed{1}}, nil
		},
	})
	if err != nil {
		return err
	}
	var plans []*stream.Plan
	for _, method := range []continual.Method{continual.Tree, continual.SquareRoot} {
		def := hourly()
		def.Name, def.Method, def.Epochs, def.Rho, def.Delta = string(method), method, 12, 1_000_000, 0
		d := stays()
		d.Window = b.Unit.Window
		p, err := stream.New(b, d, asked(&testing.T{}, d, true, true, 1, 1), def)
		if err != nil {
			return err
		}
		plans = append(plans, p)
	}
	pub.Set(plans)
	for ; ; now = now.Add(time.Hour) {
		if err := pub.CatchUp(ctx); err != nil {
			return err
		}
		for _, p := range plans {
			got, err := pub.Read(ctx, stream.Ask{Dataset: "stays", Stream: p.Name, Points: 1000})
			if err != nil {
				return err
			}
			for _, pt := range got.Points {
				fmt.Printf("%s\t%d\t%v\n", p.Name, pt.Step, pt.Cells)
			}
		}
	}
}

// A publisher is killed in the midst of steps, again and again. Every step is there in the end, none was told twice otherwise, and each
// epoch was paid for once.
func TestKilledPublisherDrawsNothingTwice(t *testing.T) {
	dir := t.TempDir()
	storetest.Prepare(t)
	seen := map[string]string{}
	rounds := 5
	if os.Getenv("SCRIM_LONG") == "1" {
		rounds = 20
	}
	for round := range rounds {
		cmd := exec.Command(os.Args[0])
		cmd.Env = append(os.Environ(), "SCRIM_STREAM_VICTIM="+dir)
		cmd.Stderr = os.Stderr
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		news := 0
		for lines := bufio.NewScanner(out); lines.Scan(); {
			f := strings.Split(lines.Text(), "\t")
			if len(f) != 3 || !strings.HasSuffix(f[2], "]") {
				continue // cut by the kill
			}
			at := f[0] + " " + f[1]
			old, ok := seen[at]
			if ok && old != f[2] {
				t.Fatalf("round %d: step %s was told as %s and as %s", round, at, old, f[2])
			}
			if seen[at] = f[2]; !ok {
				if news++; news == 13+round%11 {
					_ = cmd.Process.Kill()
				}
			}
		}
		_ = cmd.Wait() // it was killed
		if news < 13 {
			t.Fatalf("round %d: only %d new releases before the kill", round, news)
		}
	}
	for _, name := range []string{"tree", "square-root"} {
		for step := 1; step <= 30; step++ {
			if _, ok := seen[fmt.Sprint(name, " ", step)]; !ok {
				t.Errorf("step %d of %s was never told", step, name)
			}
		}
	}
	db, err := storetest.Dir(t.Context(), filepath.Join(dir, "db"), store.Options{}, budget.Schema(), continual.Schema(), stream.Schema())
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	var epochs, charges int
	err = db.View(t.Context(), func(tx store.Tx) error {
		if err := tx.QueryRow(`SELECT sum(epochs) FROM continual_streams`).Scan(&epochs); err != nil {
			return err
		}
		return tx.QueryRow(`SELECT count(*) FROM budget_keys`).Scan(&charges)
	})
	if err != nil {
		t.Fatal(err)
	}
	if epochs < 4 || charges < epochs || charges > epochs+1 {
		t.Errorf("%d epochs are open and %d were charged", epochs, charges)
	}
}
