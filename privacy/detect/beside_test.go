package detect_test

import (
	"context"
	"errors"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/privacy/detect"
)

// finder is a detector made of a function.
type finder func(ctx context.Context, text string) ([]detect.Finding, error)

func (f finder) Find(ctx context.Context, text string, _ *detect.KnownSet) ([]detect.Finding, error) {
	return f(ctx, text)
}

func at(start, end int, label flow.Label) detect.Finding {
	return detect.Finding{Start: start, End: end, Type: string(label), Label: label, Score: 0.5}
}

func TestMerge(t *testing.T) {
	const text = "Jane Doe, jane@doe.example, has asthma, ok"
	known := detect.Finding{Start: 0, End: 8, Type: detect.KnownValue, Label: "person/name", Score: 1, Known: "Jane Doe"}
	for _, c := range []struct {
		name         string
		ours, theirs []detect.Finding
		want         string
	}{
		{"side by side", []detect.Finding{at(10, 26, "person/contact/email")}, []detect.Finding{at(0, 8, "person/name")}, "0-8 person/name, 10-26 person/contact/email"},
		{"of the same strictness ours stays", []detect.Finding{at(0, 8, "person/contact/email")}, []detect.Finding{at(0, 8, "person/name")}, "0-8 person/contact/email"},
		{"a stricter one that holds ours takes its place", []detect.Finding{at(10, 26, "person/contact/email")}, []detect.Finding{at(0, 38, "health/diagnosis")}, "0-38 health/diagnosis"},
		{"a laxer one gives what is left of it", []detect.Finding{at(10, 26, "health/diagnosis")}, []detect.Finding{at(0, 38, "person/name")}, "0-8 person/name, 10-26 health/diagnosis, 28-38 person/name"},
		{"a stricter part raises the whole", []detect.Finding{at(0, 8, "person/name")}, []detect.Finding{at(5, 8, "health/diagnosis")}, "0-8 health/diagnosis"},
		{"a stricter overlap raises and adds", []detect.Finding{at(0, 8, "person/name")}, []detect.Finding{at(5, 26, "health/diagnosis")}, "0-8 health/diagnosis, 10-26 health/diagnosis"},
		{"a known value stays", []detect.Finding{known}, []detect.Finding{at(0, 26, "health/diagnosis")}, "0-8 health/diagnosis known Jane Doe, 10-26 health/diagnosis"},
		{"theirs overlap and are unordered", nil, []detect.Finding{at(5, 12, "person/name"), at(0, 8, "health/diagnosis")}, "0-12 health/diagnosis"},
		{"one of theirs over two of ours", []detect.Finding{at(0, 4, "person/name"), at(5, 8, "health/diagnosis")}, []detect.Finding{at(0, 12, "person/name")}, "0-4 person/name, 5-8 health/diagnosis, 10-12 person/name"},
		{"two of theirs over one of ours", []detect.Finding{at(2, 20, "person/name")}, []detect.Finding{at(0, 4, "organization"), at(15, 26, "person/name")}, "0-2 organization, 2-20 person/name, 20-26 person/name"},
	} {
		var got []string
		for _, f := range detect.Merge(flow.DefaultTaxonomy(), text, c.ours, c.theirs) {
			one := strings.Join([]string{itoa(f.Start) + "-" + itoa(f.End), string(f.Label)}, " ")
			if f.Known != "" {
				one += " known " + f.Known
			}
			got = append(got, one)
		}
		if s := strings.Join(got, ", "); s != c.want {
			t.Errorf("%s: %s, want %s", c.name, s, c.want)
		}
	}
}

func itoa(n int) string {
	if n < 10 {
		return string(rune('0' + n))
	}
	return itoa(n/10) + itoa(n%10)
}

// Whatever two detectors find, what comes out is sorted, does not overlap, covers every letter that either found, and
// nowhere with a laxer label than the engine's.
func TestMergeLosesNothing(t *testing.T) {
	tax := flow.DefaultTaxonomy()
	labels := []flow.Label{"person/name", "health/diagnosis", "organization", "time", "person/contact/email", flow.Unlabelled}
	const seed = 7
	r := rand.New(rand.NewPCG(seed, 1))
	text := strings.Repeat("ab é, ", 12)
	some := func() (out []detect.Finding) {
		for range r.IntN(6) {
			start := r.IntN(len(text) - 1)
			out = append(out, at(start, start+1+r.IntN(min(20, len(text)-start)), labels[r.IntN(len(labels))]))
		}
		return out
	}
	for range 20_000 {
		ours := detect.Merge(tax, strings.Repeat("x", len(text)), nil, some()) // sorted and disjoint
		for i := range ours {
			if r.IntN(4) == 0 {
				ours[i].Type = detect.KnownValue
			}
		}
		before := slices.Clone(ours)
		theirs := some()
		got := detect.Merge(tax, text, ours, theirs)
		if !slices.Equal(ours, before) {
			t.Fatalf("seed %d: the engine's findings were changed", seed)
		}
		cover := make([]flow.Label, len(text))
		end := 0
		for _, f := range got {
			if f.Start < end || f.Start >= f.End {
				t.Fatalf("seed %d: ours %v theirs %v: %v is not sorted and disjoint", seed, before, theirs, got)
			}
			end = f.End
			for i := f.Start; i < f.End; i++ {
				cover[i] = f.Label
			}
		}
		for _, f := range before {
			for i := f.Start; i < f.End; i++ {
				if cover[i] == "" || tax.Stricter(cover[i], f.Label) != cover[i] && tierOf(tax, f.Label) < tierOf(tax, cover[i]) {
					t.Fatalf("seed %d: ours %v theirs %v: byte %d is %q in %v", seed, before, theirs, i, cover[i], got)
				}
			}
		}
		for _, f := range theirs {
			for i := f.Start; i < f.End; i++ {
				if cover[i] == "" && text[i] != ' ' && text[i] != ',' {
					t.Fatalf("seed %d: ours %v theirs %v: byte %d is in no finding of %v", seed, before, theirs, i, got)
				}
			}
		}
	}
}

func tierOf(tax *flow.Taxonomy, l flow.Label) flow.Tier {
	c, _ := tax.Class(l)
	return c.Tier
}

func TestBesideBelievesNoNonsense(t *testing.T) {
	const text = "Zoë is ill"
	for name, f := range map[string]detect.Finding{
		"an end beyond the text":       at(0, 12, "person/name"),
		"a start before it":            at(-1, 3, "person/name"),
		"nothing":                      at(3, 3, "person/name"),
		"half a letter":                at(0, 3, "person/name"),
		"no label":                     at(0, 4, ""),
		"a label nobody knows":         at(0, 4, "person/zodiac"),
		"what makes a part public":     at(0, 4, flow.PublicData),
		"what makes a part plain text": at(0, 4, flow.FreeText),
		"no score":                     {Start: 0, End: 4, Type: "x", Label: "person/name"},
		"more than sure":               {Start: 0, End: 4, Type: "x", Label: "person/name", Score: 1.5},
	} {
		b := detect.Beside{Name: "test", Taxonomy: flow.DefaultTaxonomy(), Detector: finder(func(context.Context, string) ([]detect.Finding, error) {
			return []detect.Finding{f}, nil
		})}
		found := make([][]detect.Finding, 1)
		if err := b.Add(t.Context(), []string{text}, found); !errors.Is(err, detect.ErrFindings) || found[0] != nil {
			t.Errorf("%s: Add() = %v with %v, want ErrFindings and nothing", name, err, found[0])
		}
	}
}

func TestBesideHasATime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		deaf := finder(func(context.Context, string) ([]detect.Finding, error) { time.Sleep(3 * time.Second); return nil, nil })
		b := detect.Beside{Name: "test", Taxonomy: flow.DefaultTaxonomy(), Timeout: time.Second, Detector: deaf}
		if err := b.Add(t.Context(), []string{"a"}, make([][]detect.Finding, 1)); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Add() = %v, want that the time was up", err)
		}
	})
}

type batch func(texts []string) [][]detect.Finding

func (b batch) FindAll(_ context.Context, texts []string) ([][]detect.Finding, error) {
	return b(texts), nil
}

func (b batch) Find(context.Context, string, *detect.KnownSet) ([]detect.Finding, error) {
	return nil, errors.New("texts are asked about at once")
}

func TestBesideWantsAnAnswerForEachText(t *testing.T) {
	for _, n := range []int{0, 1, 3} {
		b := detect.Beside{Name: "test", Taxonomy: flow.DefaultTaxonomy(), Detector: batch(func([]string) [][]detect.Finding { return make([][]detect.Finding, n) })}
		if err := b.Add(t.Context(), []string{"a", "b"}, make([][]detect.Finding, 2)); !errors.Is(err, detect.ErrFindings) {
			t.Errorf("Add() with %d answers for 2 texts = %v, want ErrFindings", n, err)
		}
	}
}
