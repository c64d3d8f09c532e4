package release_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/gateway/release"
	"github.com/scrimhq/scrim/policy"
	"github.com/scrimhq/scrim/privacy/deidentify"
)

// said is a technique that amounts to a treatment.
func said(l flow.Level, p flow.Param) deidentify.Says {
	return deidentify.Says{Name: "test", Treatment: flow.Treatment{Level: l, Param: p}}
}

func TestAPlanNeverRevealsMoreThanTheTerms(t *testing.T) {
	keep := deidentify.Keep().Says()
	with := func(c release.Column) []release.Column { return append(columns(), c) }
	for name, c := range map[string]struct {
		order  func(*release.Order)
		cols   []release.Column
		model  policy.Model
		policy string // more of it
		column string // that the refusal names; "": none is refused
		reason string
	}{
		"a good plan":                               {cols: columns()},
		"keep what policy drops":                    {cols: with(release.Column{Name: "name", Says: keep}), column: "name", reason: "no policy permits it"},
		"drop what policy drops":                    {cols: with(release.Column{Name: "name", Says: deidentify.Drop().Says()})},
		"a name as a quasi-identifier":              {cols: with(release.Column{Name: "name", Role: release.Quasi, Least: 1}), column: "name"},
		"a name as a sensitive column":              {cols: with(release.Column{Name: "name", Role: release.Sensitive, Says: keep}), column: "name"},
		"a lighter label":                           {cols: with(release.Column{Name: "name", Label: "public", Says: keep}), column: "name"},
		"a lighter label of what has none":          {cols: with(release.Column{Name: "extra", Label: "public", Says: keep}), column: "extra"},
		"of a column that the contract has not":     {cols: with(release.Column{Name: "notes", Label: "public", Says: keep}), column: "notes"},
		"a sensitive column that no model protects": {cols: []release.Column{{Name: "diagnosis", Role: release.Plain, Says: keep}}, column: "diagnosis"},
		"the token that policy allows":              {cols: with(release.Column{Name: "id", Says: said(flow.Tokenized, flow.TokenOneWay)})},
		"a token that opens":                        {cols: with(release.Column{Name: "id", Says: said(flow.Tokenized, flow.TokenReversible)}), column: "id"},
		"a finer date than policy allows":           {cols: []release.Column{{Name: "born", Says: said(flow.Generalized, "day")}}, column: "born"},
		"the month":                                 {cols: []release.Column{{Name: "born", Says: said(flow.Generalized, "month")}}},
		"a quasi-identifier that a forbid keeps": {
			cols:   []release.Column{{Name: "zip", Role: release.Quasi}},
			policy: `@id("no-zip") @reason("no full codes") forbid (principal, action in Action::"atleast_raw", resource == Field::"patients/zip");`, column: "zip", reason: "no full codes",
		},
		"and that the plan generalises": {
			cols:   []release.Column{{Name: "zip", Role: release.Quasi, Least: 1}},
			policy: `@id("no-zip") forbid (principal, action in Action::"atleast_raw", resource == Field::"patients/zip");`,
		},
		"a smaller k":       {cols: columns(), model: policy.Model{K: 4, L: 2}, reason: "no policy permits to extract"},
		"no l":              {cols: columns(), model: policy.Model{K: 5}, reason: "no policy permits to extract"},
		"another purpose":   {order: func(o *release.Order) { o.Purpose = "billing" }, cols: columns(), reason: "no policy permits to extract"},
		"another recipient": {order: func(o *release.Order) { o.To = "claims" }, cols: columns(), reason: "no policy permits to extract"},
		"a formal dataset":  {order: func(o *release.Order) { o.Dataset = "trial" }, cols: []release.Column{{Name: "sex", Role: release.Quasi}}, reason: "formal"},
		"no dataset":        {order: func(o *release.Order) { o.Dataset = "" }, cols: columns(), reason: "no policy permits to extract"},
		"a dataset that lies, by its columns": {
			order: func(o *release.Order) { o.Dataset = "weather" }, cols: []release.Column{{Name: "city", Says: keep}, {Name: "diagnosis", Label: "public", Says: keep}}, column: "diagnosis",
		},
		"a dataset that lies, by what is found": {
			order: func(o *release.Order) { o.Dataset = "weather" }, cols: []release.Column{{Name: "city", Found: "person/name", Says: keep}}, column: "city",
		},
		"one that does not": {order: func(o *release.Order) { o.Dataset = "weather" }, cols: []release.Column{{Name: "city", Says: keep}}},
		"derived tokens of no contract's column": {
			order: func(o *release.Order) { o.Dataset = "" }, cols: []release.Column{{Name: "rec", Label: "health/record-number", Says: said(flow.Tokenized, flow.TokenOneWay)}},
			policy: `@id("any") permit (principal, action == Action::"extract", resource);`, column: "rec", reason: "no contract names",
		},
		"a column that the plan alone labels": {
			order: func(o *release.Order) { o.Dataset = "" }, cols: []release.Column{{Name: "x", Label: "public", Says: keep}},
			policy: `@id("any") permit (principal, action == Action::"extract", resource);`,
		},
		"the same with names in it": {
			order: func(o *release.Order) { o.Dataset = "" }, cols: []release.Column{{Name: "x", Label: "public", Found: "person/name", Says: keep}},
			policy: `@id("any") permit (principal, action == Action::"extract", resource);`, column: "x",
		},
	} {
		r := open(t, t.TempDir(), labPolicy+c.policy)
		o, m := toLab, c.model
		if c.order != nil {
			c.order(&o)
		}
		if m == (policy.Model{}) {
			m = policy.Model{K: 5, L: 2}
		}
		job := r.file(c.cols, nil)
		job.Model = m
		_, err := r.office.Release(context.Background(), r.snap, o, job)
		if c.column == "" && c.reason == "" {
			if err != nil {
				t.Errorf("%s: Release() error = %v, want none", name, err)
			}
			continue
		}
		no, ok := errors.AsType[*release.Refused](err)
		if !ok || !errors.Is(err, release.ErrRefused) || !strings.Contains(err.Error(), c.reason) {
			t.Errorf("%s: Release() error = %v, want a refusal with %q", name, err, c.reason)
			continue
		}
		if c.column != "" && (len(no.Columns) != 1 || no.Columns[0].Column != c.column) {
			t.Errorf("%s: refused for %+v, want column %s", name, no.Columns, c.column)
		}
		if r.has(t, "") || r.has(t, ".part") || r.has(t, release.ManifestSuffix) {
			t.Errorf("%s: a refused release wrote something", name)
		}
		if got := outcomes(r.events(t)); got != "refused" {
			t.Errorf("%s: the journal has %q, want the refusal alone", name, got)
		}
	}
}

func TestWhoAndWhatMustBeKnown(t *testing.T) {
	r := open(t, t.TempDir(), labPolicy)
	o := toLab
	o.To = "nobody"
	if _, err := r.office.Release(context.Background(), r.snap, o, r.file(columns(), nil)); !errors.Is(err, release.ErrAgent) {
		t.Errorf("Release() to nobody: error = %v, want ErrAgent", err)
	}
	o = toLab
	o.Dataset = "patient"
	if _, err := r.office.Release(context.Background(), r.snap, o, r.file(columns(), nil)); !errors.Is(err, release.ErrDataset) {
		t.Errorf("Release() of an unknown dataset: error = %v, want ErrDataset", err)
	}
}
