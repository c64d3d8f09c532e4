package onnx_test

import (
	"context"
	"errors"
	"fmt"
	"math"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/privacy/detect"
	"github.com/scrimhq/scrim/privacy/detect/onnx"
)

func open(t testing.TB, opt onnx.Options) *onnx.Detector {
	t.Helper()
	d, err := onnx.Open(tinyModel(t, 64), opt)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func said(text string, found []detect.Finding) string {
	var out []string
	for _, f := range found {
		out = append(out, fmt.Sprintf("%s=%s", text[f.Start:f.End], f.Label))
	}
	return strings.Join(out, " | ")
}

func TestWordsOfOneTypeAreOneFinding(t *testing.T) {
	d := open(t, onnx.Options{Types: map[string]flow.Label{"ORG": "organization"}})
	for text, want := range map[string]string{
		"Jane Doe met Acme Corp.":        "Jane Doe=person/name | Acme Corp=organization",
		"jane jane doe":                  "jane=person/name | jane doe=person/name",
		"ZOË\u2003Doe, met 朴朴":           "ZOË\u2003Doe=person/name | 朴=person/name | 朴=person/name",
		"🎈 the Björn🎈":                   "",
		"🎈 the Bjo\u0308rn met":          "Bjo\u0308rn=person/name",
		"Bjórn, jane":                    "Bjórn=person/name | jane=person/name",
		"boot the boot":                  "boot=unlabelled | boot=unlabelled",
		"":                               "",
		" \n\t":                          "",
		"\xff\xfejane\x80 doe":           "jane\x80 doe=person/name",
		"[CLS] [SEP] the":                "",
		"ja\u00adne met":                 "ja\u00adne=person/name",
		strings.Repeat("jane", 40) + ".": "",
	} {
		got, err := d.Find(t.Context(), text, nil)
		if err != nil || said(text, got) != want {
			t.Errorf("%q: found %s, %v, want %s", text, said(text, got), err, want)
		}
	}
}

// The outputs of the graph are known: one of 6 and five of 0.75.
func TestScoreIsTheModels(t *testing.T) {
	got, err := open(t, onnx.Options{}).Find(t.Context(), "the jane met", nil)
	want := math.Exp(6) / (math.Exp(6) + 5*math.Exp(0.75))
	if err != nil || len(got) != 1 || math.Abs(got[0].Score-want) > 1e-5 {
		t.Errorf("found %v, %v, want a score of %f", got, err, want)
	}
}

func TestTypesAndScoresAreLeftOutAsTold(t *testing.T) {
	const text = "jane met acme corp and boot"
	got, err := open(t, onnx.Options{Types: map[string]flow.Label{"SHOE": onnx.Ignored, "ORG": "finance/account"}}).Find(t.Context(), text, nil)
	if err != nil || said(text, got) != "jane=person/name | acme corp=finance/account" {
		t.Errorf("found %s, %v", said(text, got), err)
	}
	if got, err := open(t, onnx.Options{MinScore: 0.999}).Find(t.Context(), text, nil); err != nil || len(got) != 0 {
		t.Errorf("found %s, %v, want nothing that is less sure", said(text, got), err)
	}
}

// Wherever a name stands in a long text, it is found whole, and nothing else is.
func TestLongTextsAreSeenWhole(t *testing.T) {
	d := open(t, onnx.Options{})
	for _, sep := range []string{"word ", "word. ", "words, "} {
		for at := range 180 {
			text := strings.Repeat(sep, at) + "Zoë doe " + strings.Repeat(sep, 180-at)
			got, err := d.Find(t.Context(), text, nil)
			if err != nil || said(text, got) != "Zoë doe=person/name" {
				t.Fatalf("after %d of %q: found %s, %v", at, sep, said(text, got), err)
			}
		}
	}
	one := strings.TrimSpace(strings.Repeat("jane ", 500))
	if got, err := d.Find(t.Context(), one, nil); err != nil || len(got) != 500 {
		t.Errorf("%d findings, %v, want 500", len(got), err)
	}
}

func TestTimeIsBounded(t *testing.T) {
	d := open(t, onnx.Options{Bytes: 4 << 20})
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	start := time.Now()
	if got, err := d.Find(ctx, strings.Repeat("jane met the word. ", 100_000), nil); !errors.Is(err, onnx.ErrTime) || got != nil || time.Since(start) > 30*time.Second {
		t.Errorf("Find() = %d findings, %v after %s, want ErrTime soon", len(got), err, time.Since(start))
	}
	if _, err := open(t, onnx.Options{Bytes: 8}).Find(t.Context(), "jane met the", nil); !errors.Is(err, onnx.ErrTooBig) {
		t.Errorf("a large text: %v, want ErrTooBig", err)
	}
}

func TestModelsThatDoNotFitAreRefused(t *testing.T) {
	if _, err := onnx.Open(t.TempDir(), onnx.Options{}); err == nil {
		t.Error("an empty directory is a model")
	}
	bpe := map[string]any{"model": map[string]any{"type": "BPE"}}
	if _, err := onnx.Open(modelDir(t, []byte("x"), map[string]any{}, bpe), onnx.Options{}); !errors.Is(err, onnx.ErrTokenizer) {
		t.Errorf("another tokenizer: %v, want ErrTokenizer", err)
	}
	if _, err := onnx.Open(tinyModel(t, 64), onnx.Options{Types: map[string]flow.Label{"PER": flow.PublicData}}); err == nil {
		t.Error("a type may be mapped to public")
	}
}

// Whatever the text: what is found are places of it, between letters.
func FuzzFind(f *testing.F) {
	d := open(f, onnx.Options{})
	f.Add("Jane Doe met Zoë, 朴 and Bjo\u0308rn")
	f.Add("\xff\x00jane\u00ad\u200b doe")
	f.Fuzz(func(t *testing.T, text string) {
		found := make([][]detect.Finding, 1)
		b := detect.Beside{Name: "onnx", Detector: d, Taxonomy: flow.DefaultTaxonomy(), Timeout: time.Minute}
		if err := b.Add(t.Context(), []string{text}, found); err != nil && len(text) < 1000 {
			t.Errorf("%q: %v", text, err)
		}
		for _, g := range found[0] {
			if utf8.ValidString(text) && !utf8.ValidString(text[g.Start:g.End]) {
				t.Errorf("%q: %d to %d cuts a letter", text, g.Start, g.End)
			}
		}
	})
}
