package exposure_test

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/privacy/exposure"
)

// TestPresetsSayWhereTheyAreFrom: every shipped rule names a source.
func TestPresetsSayWhereTheyAreFrom(t *testing.T) {
	for name, rules := range exposure.Presets() {
		if len(rules.Rules()) < 5 {
			t.Errorf("%s has %d rules, want at least 5", name, len(rules.Rules()))
		}
		for _, r := range rules.Rules() {
			if r.Source == "" {
				t.Errorf("%s: %s has no source", name, r.Name)
			}
		}
	}
}

// TestWrongRulesAreRefusedByPlace, and what stands there is not repeated.
func TestWrongRulesAreRefusedByPlace(t *testing.T) {
	const one = `rules: [{name: a, of: [{any: [{label: person/gender, to: masked}]}]}]`
	if _, err := exposure.ParseRules([]byte(one), flow.DefaultTaxonomy()); err != nil {
		t.Fatal(err)
	}
	for _, x := range []struct{ change, with, place string }{
		{"name: a", "name: Secret", "rules[0].name"},
		{"of: [{any: [{label: person/gender, to: masked}]}]", "of: []", "rules[0].of"},
		{"person/gender", "person/secret/x y", "rules[0].of[0].any[0].label"},
		{"to: masked", "to: secret", ".of[0].any[0].to"},
		{"to: masked", "to: year", "rules[0].of[0].any[0].to"},
		{"to: masked", `to: "shift:30"`, ".of[0].any[0].to"},
		{"to: masked", "to: raw", ".of[0].any[0].to"},
		{"name: a,", "name: a, secret: 1,", "line 1"},
		{"name: a,", "name: a, allow: 1,", "rules[0].allow"},
		{"name: a,", "name: a, known: [secret/x],", "rules[0].known[0]"},
		{"{any:", "{count: 1000, any:", "rules[0].of[0].count"},
		{"rules:", "refine: [{label: person/gender, as: person/secret, prefixes: [a]}]\nrules:", "refine[0].as"},
		{"rules:", "refine: [{label: person/gender, as: person/gender/x, prefixes: []}]\nrules:", "refine[0].prefixes"},
		{one, one + "\n---\n" + one, "more than one document"},
		{one, "", "empty"},
	} {
		_, err := exposure.ParseRules([]byte(strings.Replace(one, x.change, x.with, 1)), flow.DefaultTaxonomy())
		if !errors.Is(err, exposure.ErrRules) || !strings.Contains(err.Error(), x.place) || strings.Contains(err.Error(), "ecret") {
			t.Errorf("%s for %s: %v, want an ErrRules that names %s and says nothing of what stands there", x.with, x.change, err, x.place)
		}
	}
	if _, err := exposure.Presets()["combinations"].With(exposure.Presets()["combinations"]); !errors.Is(err, exposure.ErrRules) {
		t.Errorf("With() the same rules = %v, want ErrRules", err)
	}
}

// FuzzParseRules: whatever is in a file of rules, it is refused or within its bounds, and makes looks that only make coarser.
func FuzzParseRules(f *testing.F) {
	f.Add([]byte(`rules: [{name: a, source: b, allow: 1, known: [person/name], of: [{any: [{label: person/gender, to: masked}]}, {count: 3, any: [{label: person/birth-date, to: year}]}]}]`))
	f.Add([]byte("refine: [{label: health/diagnosis, as: health/diagnosis/rare, prefixes: [E84]}]\nrules: [{name: a, of: [{any: [{label: health/diagnosis/rare, to: dropped}]}]}]"))
	f.Add([]byte("a: &a [*a]"))
	h := open(f, &exposure.Settings{})
	f.Fuzz(func(t *testing.T, raw []byte) {
		rules, err := exposure.ParseRules(raw, flow.DefaultTaxonomy())
		if err != nil {
			if !errors.Is(err, exposure.ErrRules) || rules != nil {
				t.Fatalf("ParseRules() = %v, %v", rules, err)
			}
			return
		}
		for _, r := range rules.Rules() {
			if len(r.Of) == 0 || r.Allow < 0 || r.Allow >= len(r.Of) && r.Allow > 0 {
				t.Fatalf("rule %+v is out of bounds", r)
			}
			if slices.ContainsFunc(r.Of, func(e exposure.Element) bool { return len(e.Any) == 0 }) {
				t.Fatalf("rule %+v has an empty piece", r)
			}
		}
		house := *h
		house.t, house.s = t, &exposure.Settings{Rules: rules, Taxonomy: flow.DefaultTaxonomy()}
		house.send(to("a"), born("1"), sex("1"), postal(""), born("2"))
	})
}
