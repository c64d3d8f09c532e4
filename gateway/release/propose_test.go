package release_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"strings"
	"testing"

	"github.com/scrimhq/scrim/data/csv"
	"github.com/scrimhq/scrim/data/table"
	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/gateway/release"
	"github.com/scrimhq/scrim/privacy/deidentify/plan"
	"github.com/scrimhq/scrim/privacy/vault"
)

func TestAPlanIsProposedFromTheTerms(t *testing.T) {
	all := []release.Raw{{Name: "id"}, {Name: "name"}, {Name: "born"}, {Name: "zip", Width: 5}, {Name: "sex"}, {Name: "diagnosis"}, {Name: "extra"}, {Name: "other"}}
	shift := `@id("lab-extract") permit (principal, action == Action::"extract", resource == Dataset::"patients");
		@id("shift") @generalize("shift:30") permit (principal, action in Action::"upto_generalized", resource in DataClass::"person/birth-date");`
	token := func(param string) string {
		return shift + fmt.Sprintf(`@id("t") @token(%q) @exception("x") permit (principal, action in Action::"upto_tokenized", resource in DataClass::"person");`, param)
	}
	for name, c := range map[string]struct {
		policy string
		order  func(*release.Order)
		k      int
		raw    []release.Raw
		want   []string
		never  []string
		err    error
	}{
		"the lab's": {policy: labPolicy, raw: all, want: []string{
			`"id": {technique: one-way, label: "health/record-number"} # health/record-number, by contract; tokenized(oneway) by join`,
			`"name": {technique: drop} # person/name, by contract; dropped`,
			`"born": {role: quasi, label: "person/birth-date", dates: [month, year, decade]} # person/birth-date, by contract; raw within the model by lab-extract`,
			`"zip": {role: quasi, label: "location/postal", prefix: [5, 4, 3, 2]}`, `"sex": {role: quasi, label: "person/gender"}`,
			`"diagnosis": {role: sensitive, technique: keep, label: "health/diagnosis"}`, `"extra": {technique: drop} # unlabelled`,
			"k-anonymity, k: 5} # the least", `l-diversity, column: "diagnosis", l: 2}`,
		}},
		"a k that is asked for":              {policy: labPolicy, raw: all, k: 12, want: []string{"k-anonymity, k: 12} # as asked for"}},
		"one that is too small":              {policy: labPolicy, raw: all, k: 4, err: release.ErrRefused},
		"an l and no column for it":          {policy: labPolicy, raw: all[:5], err: release.ErrRefused},
		"another purpose":                    {policy: labPolicy, raw: all, order: func(o *release.Order) { o.Purpose = "billing" }, err: release.ErrRefused},
		"nobody":                             {policy: labPolicy, raw: all, order: func(o *release.Order) { o.To = "x" }, err: release.ErrAgent},
		"no such dataset":                    {policy: labPolicy, raw: all, order: func(o *release.Order) { o.Dataset = "x" }, err: release.ErrDataset},
		"formal":                             {policy: labPolicy, raw: all, order: func(o *release.Order) { o.Dataset = "trial" }, err: release.ErrRefused},
		"public data":                        {policy: labPolicy, raw: []release.Raw{{Name: "city"}}, order: func(o *release.Order) { o.Dataset = "weather" }, want: []string{`"city": {technique: keep, label: "public"}`}, never: []string{"privacy:"}},
		"public data with something else":    {policy: labPolicy, raw: []release.Raw{{Name: "born"}, {Name: "city", Found: "person/name"}}, order: func(o *release.Order) { o.Dataset = "weather" }, want: []string{`"city": {technique: drop} # person/name, found: REVIEW`}},
		"nothing but a name":                 {policy: shift, raw: all[1:2], err: release.ErrNothing},
		"no columns":                         {policy: labPolicy, err: release.ErrNothing},
		"a forbid of full codes":             {policy: labPolicy + `@id("no-zip") forbid (principal, action in Action::"atleast_raw", resource == Field::"patients/zip");`, raw: all, want: []string{`prefix: [5, 4, 3, 2], least: 1} # location/postal, by contract; generalized within the model by lab-extract, no-zip`}},
		"a forbid of full diagnoses":         {policy: labPolicy + `@id("no-d") forbid (principal, action in Action::"atleast_raw", resource == Field::"patients/diagnosis");`, raw: all, want: []string{`"diagnosis": {role: sensitive, technique: prefix, keep: 3, label: "health/diagnosis"}`}},
		"codes of several lengths":           {policy: labPolicy, raw: append([]release.Raw{{Name: "zip"}}, all[4:6]...), want: []string{`"zip": {role: quasi, label: "location/postal"}`}},
		"shifted dates and somebody":         {policy: shift + `@id("no") forbid (principal, action in Action::"atleast_raw", resource);`, raw: []release.Raw{{Name: "id"}, {Name: "born"}}, want: []string{`"born": {role: quasi`, "least: 1", "k: 2}"}},
		"realistic names":                    {policy: token("realistic"), raw: all[:2], want: []string{`"name": {technique: realistic, label: "person/name"}`}},
		"tokens":                             {policy: token("reversible"), raw: all[:2], want: []string{`"name": {technique: token, label: "person/name"}`}},
		"format, of what has none":           {policy: token("format"), raw: all[:2], want: []string{`"name": {technique: token, label: "person/name"}`}},
		"surrogates":                         {policy: token("surrogate"), raw: all[:2], want: []string{`"name": {technique: surrogate, label: "person/name"}`}},
		"masks":                              {policy: shift + `@id("m") @mask("keep:2") permit (principal, action in Action::"upto_masked", resource in DataClass::"person");`, raw: all[:2], want: []string{`"name": {technique: mask, keep: 2, label: "person/name"}`}},
		"tokens of what no contract names":   {policy: strings.ReplaceAll(token("reversible"), `resource == Dataset::"patients"`, "resource"), order: func(o *release.Order) { o.Dataset = "" }, raw: []release.Raw{{Name: "who", Found: "person/name"}}, want: []string{`"who": {technique: surrogate, label: "person/name"} # person/name, found: REVIEW`}},
		"a hostile label, policy and column": {policy: strings.ReplaceAll(labPolicy, `"lab-extract"`, `"lab\nprivacy: []"`), raw: append(all, release.Raw{Name: "x\"}\nrest: keep #"}), want: []string{`"x\"}\x0arest: keep #": {technique: drop}`}, never: []string{"\nprivacy: []", "\nrest: keep"}},
	} {
		r := open(t, t.TempDir(), c.policy)
		o := toLab
		if c.order != nil {
			c.order(&o)
		}
		text, err := release.Propose(r.snap, o, c.k, c.raw)
		if !errors.Is(err, c.err) || c.err == nil && err != nil {
			t.Errorf("%s: Propose() error = %v, want %v", name, err, c.err)
		}
		for _, w := range c.want {
			if !strings.Contains(string(text), w) {
				t.Errorf("%s: the plan lacks %q:\n%s", name, w, text)
			}
		}
		for _, w := range c.never {
			if strings.Contains(string(text), w) {
				t.Errorf("%s: the plan has %q:\n%s", name, w, text)
			}
		}
		if c.err == nil {
			within(t, r, o, c.raw, text)
		}
	}
}

// within carries a plan to policy as a release does, with real keys, and fails if it would be refused.
func within(t *testing.T, r *rig, o release.Order, raw []release.Raw, text []byte) {
	t.Helper()
	p, err := plan.Parse("plan.yaml", text)
	if err != nil {
		t.Errorf("Parse() of a proposed plan: %v\n%s", err, text)
		return
	}
	found := map[string]flow.Label{}
	var cols []table.Column
	for _, c := range raw {
		found[c.Name] = c.Found
		cols = append(cols, table.Column{Name: c.Name})
	}
	v, err := vault.New(r.db, r.keys, vault.Options{Domain: "hospital"})
	must(t, err)
	compiled, err := p.Compile(cols, release.NewKeys(context.Background(), v, r.keys, r.snap.Taxonomy, "lab", "research"), folder(t.TempDir()))
	if err != nil {
		t.Errorf("Compile() of a proposed plan: %v\n%s", err, text)
		return
	}
	dir := t.TempDir()
	must(t, os.WriteFile(dir+"/x.csv", []byte("x\n"), 0o600))
	src, err := csv.File(dir+"/x.csv", csv.Options{})
	must(t, err)
	defer src.Close()
	job := (&release.Planned{Plan: compiled, Source: src, Target: csv.Target(dir+"/y.csv", csv.Options{}), Found: found}).Job()
	d, err := release.Decide(r.snap, o, job.Columns, job.Model)
	must(t, err)
	if no := d.Refused(); no != nil {
		t.Errorf("the proposed plan is refused: %v\n%s", no, text)
	}
}

// TestWhateverTheTermsAProposedPlanIsWithinThem draws policies, names and findings at random.
func TestWhateverTheTermsAProposedPlanIsWithinThem(t *testing.T) {
	rnd := rand.New(rand.NewPCG(7, 1))
	pick := func(s ...string) string { return s[rnd.IntN(len(s))] }
	proposed := 0
	for try := range 60 {
		var pol strings.Builder
		scope := pick("resource", `@exception("b")`)
		if scope != "resource" {
			pol.WriteString(scope)
			scope = `resource == Dataset::"patients"`
		}
		fmt.Fprintf(&pol, `@id("e") permit (principal, action == Action::"extract", %s) when { context.k >= %d && context.l >= %d };`, scope, 1+rnd.IntN(30), 1+rnd.IntN(2)*rnd.IntN(4))
		for i := range rnd.IntN(9) {
			class := pick("person", "person/name", "person/birth-date", "location", "location/postal", "health", "health/diagnosis", "health/record-number", "technical/ip", "finance", "unlabelled", "public")
			switch rnd.IntN(5) {
			case 0:
				fmt.Fprintf(&pol, `@id("p%d") @exception("b") permit (principal, action in Action::"upto_raw", resource in DataClass::"%s");`, i, class)
			case 1:
				class, param := "location/postal", pick("prefix:2", "up:2")
				switch rnd.IntN(4) {
				case 0:
					class, param = "person/birth-date", pick("day", "month", "decade", "shift:9")
				case 1:
					class, param = pick("person/age", "finance/income"), pick("bucket:7", "round:5", "top:60", "bottom:3")
				case 2:
					class, param = "technical/ip", "net:16"
				}
				fmt.Fprintf(&pol, `@id("p%d") @exception("b") @generalize("%s") permit (principal, action in Action::"upto_generalized", resource in DataClass::"%s");`, i, param, class)
			case 2:
				fmt.Fprintf(&pol, `@id("p%d") @exception("b") @token("%s") permit (principal, action in Action::"upto_tokenized", resource in DataClass::"%s");`,
					i, pick("format", "reversible", "oneway", "surrogate", "realistic"), class)
			case 3:
				fmt.Fprintf(&pol, `@id("p%d") @mask("keep:%d") permit (principal, action in Action::"upto_masked", resource in DataClass::"%s");`, i, 1+rnd.IntN(4), class)
			case 4:
				fmt.Fprintf(&pol, `@id("p%d") forbid (principal, action in Action::"atleast_%s", resource in DataClass::"%s");`, i, pick("raw", "generalized", "tokenized", "masked"), class)
			}
		}
		r := open(t, t.TempDir(), pol.String())
		o := toLab
		o.Dataset = pick("patients", "patients", "weather", "")
		o.Consent, o.Approved = rnd.IntN(2) == 0, rnd.IntN(2) == 0
		raw := []release.Raw{{Name: "id"}, {Name: "name"}, {Name: "born"}, {Name: "zip", Width: rnd.IntN(20)}, {Name: "sex"}, {Name: "diagnosis"}, {Name: "extra"}}
		for i := range rnd.IntN(6) {
			raw = append(raw, release.Raw{
				Name:  pick("null", "~", "<<", "true", "a: b", "- x", "#", "'", "\"", "\\", "\u0085", "\u2028", "\ufeff", "\x7f", "\xff", "", "id/keep", "born", "é\n", "*a", "&b", "😀", strings.Repeat("n", 2000), "no", "1.0"),
				Found: flow.Label(pick("", "person/name", "person/age", "finance/card", "technical/ip", "finance/income", "health/visit-date", "text/free")), Width: i,
			})
		}
		rnd.Shuffle(len(raw), func(i, j int) { raw[i], raw[j] = raw[j], raw[i] })
		text, err := release.Propose(r.snap, o, rnd.IntN(2)*(2+rnd.IntN(40)), raw)
		if err != nil {
			if !errors.Is(err, release.ErrRefused) && !errors.Is(err, release.ErrNothing) {
				t.Fatalf("try %d: Propose() error = %v\n%s", try, err, pol.String())
			}
			continue
		}
		proposed++
		within(t, r, o, raw, text)
	}
	if proposed < 20 {
		t.Errorf("only %d of 60 policies let a plan be proposed", proposed)
	}
}
