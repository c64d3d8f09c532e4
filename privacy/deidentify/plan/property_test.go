package plan_test

import (
	"encoding/csv"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/scrimhq/scrim/privacy/deidentify/anonymity"
	"github.com/scrimhq/scrim/privacy/deidentify/plan"
)

// TestOutputIsWhatWasAsked draws small tables and plans, and reads the written file with a checker that shares no code with what wrote it:
// every class has k rows (or k subjects), l diagnoses and a distribution within t, and nothing of the dropped column is anywhere.
func TestOutputIsWhatWasAsked(t *testing.T) {
	released := 0
	for seed := range uint64(120) {
		rng := rand.New(rand.NewPCG(seed, 7)) // a fixed stream: the tables of a failure can be made again
		in, k, l, distance := randomTable(rng), 2+rng.IntN(4), rng.IntN(4), []float64{0, 0.3, 0.5}[rng.IntN(3)]
		recoding := []string{"global", "local"}[rng.IntN(2)]
		subject := rng.IntN(3) == 0
		text := randomPlan(rng, k, l, distance, recoding, subject)
		dir := t.TempDir()
		write(t, dir, "in.csv", in)
		got, out, err := carryIn(t, dir, text, plan.Options{Workers: 1 + rng.IntN(3)})
		if err != nil {
			if !errors.Is(err, anonymity.ErrNone) || strings.Contains(err.Error(), "canary") {
				t.Fatalf("seed %d: %v\n%s", seed, err, text)
			}
			continue
		}
		released++
		report, err := out.Risk.JSON()
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(got, "canary") || strings.Contains(string(report), "canary") {
			t.Fatalf("seed %d: a dropped column is in the output", seed)
		}
		if wrong := check(t, in, got, k, l, distance); wrong != "" {
			t.Errorf("seed %d: %s\n%s\n%s", seed, wrong, text, got)
		}
		if left := read(t, in); len(left)-1-len(read(t, got))+1 > len(left)/4 {
			t.Errorf("seed %d: %d of %d rows are left, fewer than the plan allows", seed, len(read(t, got))-1, len(left)-1)
		}
		if entries, _ := os.ReadDir(dir); len(entries) != 2 {
			t.Errorf("seed %d: something is left beside %s", seed, filepath.Join(dir, "out.csv"))
		}
	}
	if released < 40 {
		t.Errorf("%d of 120 plans could be met: the test looks at too little", released)
	}
}

func randomTable(rng *rand.Rand) string {
	var b strings.Builder
	b.WriteString("name,age,zip,sex,diagnosis\n")
	spread := 5 + rng.IntN(60)
	for i := range 20 + rng.IntN(60) {
		fmt.Fprintf(&b, "canary%d,%d,%05d,%c,d%d\n", i, 20+rng.IntN(spread), 12000+rng.IntN(spread)*7, "mf"[rng.IntN(2)], rng.IntN(2+rng.IntN(4)))
	}
	return b.String()
}

func randomPlan(rng *rand.Rand, k, l int, t float64, recoding string, subject bool) string {
	var b strings.Builder
	fmt.Fprintf(&b, "version: 1\ncolumns:\n  name: {technique: drop}\n  age: {role: quasi, intervals: [5, 20]}\n  zip: {role: quasi, prefix: [5, 4, 3, 2]}\n  sex: {role: quasi}\n")
	if l > 1 || t > 0 {
		b.WriteString("  diagnosis: {role: sensitive}\n")
	} else {
		b.WriteString("  diagnosis: {technique: keep}\n")
	}
	fmt.Fprintf(&b, "suppression: 25%%\nrecoding: %s\nmetric: %s\n", recoding, []string{"loss", "entropy", "discernibility", "class-size"}[rng.IntN(4)])
	if subject {
		b.WriteString("subject: name\n")
	}
	fmt.Fprintf(&b, "privacy:\n  - {model: k-anonymity, k: %d}\n", k)
	if l > 1 {
		fmt.Fprintf(&b, "  - {model: l-diversity, column: diagnosis, l: %d}\n", l)
	}
	if t > 0 {
		fmt.Fprintf(&b, "  - {model: t-closeness, column: diagnosis, t: %g}\n", t)
	}
	return b.String()
}

func read(t *testing.T, text string) [][]string {
	t.Helper()
	rows, err := csv.NewReader(strings.NewReader(text)).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	return rows
}

// check returns what is wrong with a released table: age, zip, sex, diagnosis.
func check(t *testing.T, before, after string, k, l int, distance float64) string {
	all, total := map[string]float64{}, 0.0
	for _, row := range read(t, before)[1:] {
		all[row[4]]++
		total++
	}
	classes := map[string]map[string]float64{}
	for _, row := range read(t, after)[1:] {
		key := strings.Join(row[:3], "|")
		if classes[key] == nil {
			classes[key] = map[string]float64{}
		}
		classes[key][row[3]]++
	}
	for key, held := range classes {
		n := 0.0
		for _, c := range held {
			n += c
		}
		apart := 0.0
		for d, c := range all {
			apart += math.Abs(held[d]/n-c/total) / 2
		}
		switch {
		case n < float64(k):
			return fmt.Sprintf("class %s has %g rows, want %d", key, n, k)
		case l > 1 && len(held) < l:
			return fmt.Sprintf("class %s has %d diagnoses, want %d", key, len(held), l)
		case distance > 0 && apart > distance+1e-9:
			return fmt.Sprintf("class %s is %g apart, want %g", key, apart, distance)
		}
	}
	return ""
}
