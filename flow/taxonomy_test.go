package flow

import (
	"errors"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

func TestDefaultTaxonomy(t *testing.T) {
	tax := DefaultTaxonomy()
	all := tax.All()
	withDPV := 0
	for _, c := range all {
		if c.DPV != "" {
			withDPV++
		}
		if c.Title == "" || c.Word == "" {
			t.Errorf("%s has no title or no word for placeholders", c.Label)
		}
		if c.Word != strings.ToLower(c.Word) || strings.ContainsAny(c.Word, "[]\"\\") {
			t.Errorf("%s: the word %q is not fit for a placeholder", c.Label, c.Word)
		}
		if c.Family == Identifier && c.Default != "" {
			t.Errorf("%s is an identifier and has a default generalisation", c.Label)
		}
		for parent := range c.Label.Ancestors() {
			if up, ok := tax.Class(parent); ok && tax.Known(parent) && parent != c.Label && up.Tier == Public {
				t.Errorf("%s lies within public %s, whose policies would show it", c.Label, parent)
			}
		}
	}
	if len(all) < 60 || withDPV*3 < len(all)*2 {
		t.Errorf("the taxonomy has %d labels, %d of them with a DPV term; want 60 and most", len(all), withDPV)
	}
	for _, l := range []Label{Unlabelled, FreeText, PublicData, OpaqueFile} {
		if !tax.Known(l) {
			t.Errorf("the machinery's label %s is not in the taxonomy", l)
		}
	}
	for l, tier := range map[Label]Tier{Unlabelled: Restricted, PublicData: Public, "health/diagnosis": Restricted, "person/contact/email": Confidential} {
		if c, _ := tax.Class(l); c.Tier != tier {
			t.Errorf("%s is %s, want %s", l, c.Tier, tier)
		}
	}
}

func TestClassOfLabelsThatAreNotListed(t *testing.T) {
	tax := DefaultTaxonomy()
	if c, ok := tax.Class("person/contact/email/work"); !ok || c.Label != "person/contact/email/work" || c.Tier != Confidential || c.Word != "email" {
		t.Errorf("a label below email is %+v, known %t; want the class of email under its own name", c, ok)
	}
	if c, ok := tax.Class("nobody/knows"); ok || c.Tier != Restricted || c.Family != Identifier {
		t.Errorf("an unknown label is %+v, known %t; want restricted and unknown", c, ok)
	}
}

func TestTaxonomyOnlyGetsStricter(t *testing.T) {
	stricter := Class{Label: "person/age", Tier: Restricted, Family: Attribute, Kind: Number, Default: "bucket:20", Title: "Age", Word: "age"}
	tax, err := DefaultTaxonomy().With([]Class{stricter, {Label: "person/shoe-size", Tier: Internal, Family: Attribute, Kind: Number}})
	if err != nil {
		t.Fatalf("With() error = %v", err)
	}
	if c, _ := tax.Class("person/age"); c.Tier != Restricted || !tax.Known("person/shoe-size") || DefaultTaxonomy().Known("person/shoe-size") {
		t.Errorf("age is %s, shoe size known %t, and in the old taxonomy %t", c.Tier, tax.Known("person/shoe-size"), DefaultTaxonomy().Known("person/shoe-size"))
	}
	for name, c := range map[string]Class{
		"looser":             {Label: "health/diagnosis", Tier: Public},
		"not a path":         {Label: "Person Name"},
		"empty part":         {Label: "person//name"},
		"default of a kind":  {Label: "x", Kind: Number, Default: "year"},
		"tier out of range":  {Label: "x", Tier: 9},
		"no label":           {},
		"default that grows": {Label: "x", Kind: Text, Family: Attribute, Default: "prefix:3"},
	} {
		if _, err := DefaultTaxonomy().With([]Class{c}); !errors.Is(err, ErrTaxonomy) {
			t.Errorf("%s: With() error = %v, want ErrTaxonomy", name, err)
		}
	}
}

func TestWithin(t *testing.T) {
	for _, c := range []struct {
		label, parent Label
		want          bool
	}{
		{"person/name", "person", true}, {"person/name", "person/name", true}, {"person", "person/name", false}, {"personal", "person", false}, {"person/names", "person/name", false},
	} {
		if got := c.label.Within(c.parent); got != c.want {
			t.Errorf("%s within %s = %t, want %t", c.label, c.parent, got, c.want)
		}
	}
	if got := slices.Collect(Label("a/b/c").Ancestors()); !slices.Equal(got, []Label{"a/b/c", "a/b", "a"}) {
		t.Errorf("ancestors = %v", got)
	}
}

func TestStricterLabel(t *testing.T) {
	tax := DefaultTaxonomy()
	all := tax.All()
	r := rand.New(rand.NewPCG(11, 11))
	draw := func() Label {
		return append([]Label{"", "nobody/knows"}, all[r.IntN(len(all))].Label)[min(r.IntN(20), 2)]
	}
	tier := func(l Label) Tier { c, _ := tax.Class(l); return c.Tier }
	for range 50_000 {
		a, b := draw(), draw()
		got := tax.Stricter(a, b)
		if got != a && got != b {
			t.Fatalf("Stricter(%q, %q) = %q, which is neither", a, b, got)
		}
		if a != "" && b != "" && (tier(got) > tier(a) || tier(got) > tier(b)) {
			t.Fatalf("Stricter(%q, %q) = %q, which is of a looser tier", a, b, got)
		}
		if got == "" && (a != "" || b != "") {
			t.Fatalf("Stricter(%q, %q) is no label", a, b)
		}
		if again := tax.Stricter(got, a); tier(again) != tier(got) && a != "" {
			t.Fatalf("Stricter(Stricter(%q, %q), %q) is of tier %s, want %s", a, b, a, tier(again), tier(got))
		}
		if tax.Stricter(a, a) != a {
			t.Fatalf("Stricter(%q, %q) differs", a, a)
		}
	}
	for _, c := range []struct{ a, b, want Label }{
		{FreeText, "person/contact/email", "person/contact/email"},
		{FreeText, "time", "time"},
		{Unlabelled, "health/diagnosis", "health/diagnosis"},
		{Unlabelled, "person/name", Unlabelled},
		{"person", "person/name", "person/name"},
		{"person/name", "person", "person/name"},
		{"", "person", "person"},
		{PublicData, "person/name", "person/name"},
	} {
		if got := tax.Stricter(c.a, c.b); got != c.want {
			t.Errorf("Stricter(%q, %q) = %q, want %q", c.a, c.b, got, c.want)
		}
	}
}

func TestResolve(t *testing.T) {
	tax := DefaultTaxonomy()
	for _, c := range []struct {
		label Label
		in    Treatment
		want  string
	}{
		{"person/birth-date", Treatment{Level: Generalized}, "generalized(year)"},
		{"person/birth-date", Treatment{Generalized, "month"}, "generalized(month)"},
		{"person/birth-date", Treatment{Generalized, "bucket:10"}, "masked"},
		{"person/birth-date", Treatment{Level: Tokenized}, "masked"},
		{"person/gender", Treatment{Level: Generalized}, "masked"},
		{"person/name", Treatment{Level: Tokenized}, "tokenized(reversible)"},
		{"person/name", Treatment{Tokenized, TokenOneWay}, "tokenized(oneway)"},
		{"person/name", Treatment{Level: Generalized}, "masked"},
		{"person/name", Treatment{Raw, "keep:4"}, "raw"},
		{"person/name", Treatment{Masked, "keep:4"}, "masked(keep:4)"},
	} {
		class, _ := tax.Class(c.label)
		got := class.Resolve(c.in)
		if got.String() != c.want {
			t.Errorf("%s: %s resolves to %s, want %s", c.label, c.in, got, c.want)
		}
		if again := class.Resolve(got); again != got {
			t.Errorf("%s: %s resolves again to %s", c.label, got, again)
		}
	}
}

func TestCountLevels(t *testing.T) {
	leaves := []Leaf{{Label: "b"}, {Label: "a"}, {Label: "b"}, {Label: "b"}}
	terms := []LeafTerms{{Treatment: Treatment{Level: Raw}}, {}, {Treatment: Treatment{Level: Raw}}, {By: ByTier}}
	want := []LevelCount{{Label: "a", Count: 1}, {Label: "b", By: ByTier, Count: 1}, {Label: "b", Level: Raw, Count: 2}}
	if got := CountLevels(leaves, terms); !slices.Equal(got, want) {
		t.Errorf("CountLevels() = %v, want %v", got, want)
	}
}
