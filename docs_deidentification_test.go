package scrim_test

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/privacy/deidentify"
)

const (
	techniquesBegin = "<!-- techniques: written by go test . -run TestDeidentificationPage -update -->\n"
	techniquesEnd   = "<!-- end of techniques -->\n"
)

// keyless stands for a key where a technique is only asked what it says of itself.
type keyless struct{}

func (keyless) Token(dst, _, _ []byte) ([]byte, error) { return dst, nil }
func (keyless) MAC(dst, _ []byte) []byte               { return dst }
func (keyless) Uint64([]byte) uint64                   { return 0 }
func (keyless) Encrypt([]uint16) error                 { return nil }
func (keyless) Decrypt([]uint16) error                 { return nil }
func (keyless) Radix() int                             { return 10 }

// everyTechnique returns one of each, the least revealing first.
func everyTechnique(t *testing.T) []deidentify.Technique {
	t.Helper()
	var all []deidentify.Technique
	add := func(tech deidentify.Technique, err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, tech)
	}
	class := func(l flow.Label) flow.Class { c, _ := flow.DefaultTaxonomy().Class(l); return c }
	h, err := deidentify.Hierarchies{}.With("location/city", strings.NewReader("Boston,Massachusetts,US\n"))
	if err != nil {
		t.Fatal(err)
	}
	email, postal := class("person/contact/email"), class("location/postal")
	add(deidentify.Drop(), nil)
	add(deidentify.Constant(deidentify.Value{Kind: deidentify.String, Text: []byte("x")}))
	add(deidentify.TypedPlaceholder(email), nil)
	add(deidentify.Mask(email, 4))
	add(deidentify.Surrogate(&deidentify.Memory{}, email), nil)
	add(deidentify.Realistic(&deidentify.Memory{}, email, deidentify.RealisticOptions{}))
	add(deidentify.OneWay(keyless{}, deidentify.OneWayOptions{}))
	add(deidentify.Token(keyless{}), nil)
	add(deidentify.FormatPreserving(keyless{}, deidentify.FormatOptions{}))
	add(deidentify.SaltedHash(deidentify.SaltedHashOptions{Class: flow.Class{Bits: 64}, Salt: make([]byte, 16)}))
	add(deidentify.ShortenDate("year"))
	add(deidentify.ShiftDate(keyless{}, 180))
	add(deidentify.Bucket(deidentify.BucketOptions{Width: "10"}))
	add(deidentify.Bucket(deidentify.BucketOptions{Edges: []string{"18", "65"}}))
	add(deidentify.Round(flow.Class{}, "100"))
	add(deidentify.TopBottom(deidentify.TopBottomOptions{Bottom: "18", Top: "89"}))
	add(deidentify.Noise(deidentify.NoiseOptions{Scale: 5}))
	add(deidentify.Prefix(postal, 3))
	add(deidentify.Network(24))
	add(deidentify.Generalize(h, "location/city", 1))
	add(deidentify.Keep(), nil)
	return all
}

// TestDeidentificationPage holds the page's table to what the techniques say of themselves, and each of them to say something.
func TestDeidentificationPage(t *testing.T) {
	const file = "docs/spec/deidentification.md"
	page := pages(t)[file]
	var b strings.Builder
	for _, tech := range everyTechnique(t) {
		s := tech.Says()
		if s.Name == "" || s.Does == "" || s.Threat == "" || len(s.Reveals) == 0 || s.Reversible && s.Level < flow.Tokenized {
			t.Errorf("technique %q does not say what it does, reveals and stops", s.Name)
		}
		var is []string
		for _, p := range []struct {
			is   bool
			word string
		}{{s.Reversible, "reversible with the key"}, {s.Joinable, "joinable later"}, {s.Subject, "needs the subject"}, {s.Remembers, "remembers within a run"}, {s.Random, "random"}} {
			if p.is {
				is = append(is, p.word)
			}
		}
		if len(is) == 0 {
			is = []string{"the same each time, for nobody to reverse"}
		}
		kept := strings.Join(s.Preserves, "; ")
		if kept == "" {
			kept = "nothing"
		}
		fmt.Fprintf(&b, "\n### `%s`: %s\n\n| | |\n|---|---|\n| amounts to | %s |\n| preserves | %s |\n| still reveals | %s |\n| is | %s |\n| threat model | %s |\n",
			s.Name, s.Does, s.Treatment, kept, strings.Join(s.Reveals, "; "), strings.Join(is, ", "), s.Threat)
	}
	b.WriteString("\n")
	before, rest, ok := strings.Cut(page, techniquesBegin)
	said, after, closed := strings.Cut(rest, techniquesEnd)
	if !ok || !closed {
		t.Fatalf("%s has no place for the techniques", file)
	}
	if said == b.String() {
		return
	}
	if *update {
		if err := os.WriteFile(file, []byte(before+techniquesBegin+b.String()+techniquesEnd+after), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	t.Errorf("%s is not what privacy/deidentify says; go test . -run TestDeidentificationPage -update writes it", file)
}
