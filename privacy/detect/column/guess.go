package column

import (
	"cmp"
	"context"
	"math"
	"slices"
	"strings"

	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/privacy/detect"
)

// threshold is the weight at which a label is as likely as not.
const threshold = 3

// ranked is a label with all that speaks for it.
type ranked struct {
	label  flow.Label
	weight float64
	proof  []Evidence
}

// first is what a first look at a column tells.
type first struct {
	read  reading
	names weights // by name and declared type
	fits  map[flow.Label]fit
	prof  *profile
}

// alone are the labels that values can tell without a name.
var alone = []flow.Label{
	"person/contact/email", "person/contact/phone", "person/contact/address", "person/contact/handle", "person/name", "person/name/given", "person/name/family",
	"person/gender", "person/marital-status", "person/nationality", "special/religion", "special/ethnicity", "special/sexuality", "special/criminal",
	"government-id/ssn", "government-id/national", "government-id/tax", "government-id/passport", "government-id/driver-licence", "vehicle/vin", "vehicle/plate",
	"finance/card", "finance/iban", "finance/swift", "finance/crypto", "technical/ip", "technical/mac", "technical/url", "technical/user-agent", "technical/device-id",
	"secret/password", "secret/api-key", "location/city", "location/country", "location/postal", "location/coordinates", "file/name", "health/diagnosis", "health/medication",
	"health/vital", "health", "health/record-number", "work/title", "organization", "time/event", flow.FreeText, "business/category", "business/decision", "business/quantity", "technical/record-id",
}

func (c *Classifier) first(ctx context.Context, col *Column) *first {
	f := &first{read: read(col.Name), prof: c.look(ctx, col), fits: map[flow.Label]fit{}}
	f.names = fromName(f.read)
	if l, ok := detect.HintLabel(cut(col.Name, MaxName)); ok && len(f.names) == 0 {
		f.names[l] = 4
	}
	typed(col.Type, f.names)
	if l, ok := reference(col.References); ok {
		for named := range f.names {
			if named != l && identifying[named] {
				f.names[named] -= 3 // whatever its name, it is a key of that table
			}
		}
		f.names.set(l, 4.8)
	}
	judge := fits{p: f.prof}
	for l := range f.names {
		f.fits[l] = judge.of(l)
	}
	for _, l := range alone {
		if _, ok := f.fits[l]; !ok {
			f.fits[l] = judge.of(l)
		}
	}
	for form, n := range f.prof.forms {
		if form.own {
			f.ruled(form, n)
		}
	}
	return f
}

// ruled lets a rule of the user's own speak for its label.
func (f *first) ruled(form form, n int) {
	share := f.prof.part(n)
	fit := f.fits[form.label]
	switch {
	case share >= .8:
		fit.weight, fit.alone = max(fit.weight, 4), max(fit.alone, 5.5)
	case share >= .5:
		fit.weight, fit.alone = max(fit.weight, 2), max(fit.alone, 3.4)
	}
	fit.proof = append(fit.proof, Evidence{What: "rule " + form.what, Matched: n, Of: f.prof.n})
	f.fits[form.label] = fit
}

// identifying are labels of numbers that name somebody or something.
var identifying = map[flow.Label]bool{"health/record-number": true, "health/member-number": true, "health/claim-number": true, "health/provider": true,
	"organization/customer-id": true, "organization/employee-id": true, "organization/order-id": true, "technical/record-id": true, "finance/account": true}

// typed notes what a declared type says, which is little.
func typed(name string, w weights) {
	name = strings.ToLower(cut(name, MaxName))
	has := func(words ...string) bool {
		return slices.ContainsFunc(words, func(x string) bool { return strings.Contains(name, x) })
	}
	dated := has("date", "timestamp")
	for l := range w {
		isDate := l == "time" || l.Within("time") || l == "person/birth-date" || l == "person/death-date" || l == "health/visit-date"
		switch {
		case dated && !isDate:
			w[l] -= 6
		case has("bool") && !strings.HasPrefix(string(l), "business") && !l.Within("health") && !l.Within("special"):
			w[l] -= 6
		case has("double", "float", "real") && (l.Within("person/name") || l.Within("person/contact") || l.Within("government-id") || l.Within("technical")):
			w[l] -= 5
		case isDate && has("bytea", "bool", "uuid"):
			w[l] -= 5
		}
	}
	switch {
	case dated:
		w.set("time/event", 3.4)
	case has("inet", "cidr"):
		w.set("technical/ip", 4)
	case has("macaddr"):
		w.set("technical/mac", 4.5)
	case has("uuid"):
		w.set("technical/record-id", 3.4)
	case has("bool"):
		w.set("business/category", 3.4)
	case has("money"):
		w.set("finance/amount", 4)
	case has("point", "geography", "geometry"):
		w.set("location/coordinates", 4)
	}
}

// ambiguous are words that mean a label of a short list among other things: its values must be in the list.
var ambiguous = map[string]bool{"race": true, "orientation": true, "genre": true, "origin": true, "pol": true, "kon": true, "faith": true, "party": true, "nem": true, "charge": true}

// ambiguous reports whether the name means the label of a short list among other things.
func (f *first) ambiguous(l flow.Label) bool {
	if l == "work/title" {
		return len(f.read.words) == 1 && f.read.words[0] == "title"
	}
	return f.read.any("kind", "thing") || slices.ContainsFunc(f.read.words, func(w string) bool { return ambiguous[w] })
}

// rank weighs all labels that the name or the values speak for, best first.
func (f *first) rank(names weights) []ranked {
	var out []ranked
	for l, fit := range f.fits {
		name, named := names[l]
		weight := fit.alone
		var proof []Evidence
		if fit.unlisted && f.ambiguous(l) {
			name -= 3
		}
		if named && name > 0 && name+fit.weight > weight {
			weight = name + fit.weight
			proof = append(proof, Evidence{What: "name", Matched: 1, Of: 1})
		}
		if weight <= 0 {
			continue
		}
		out = append(out, ranked{l, weight, append(proof, fit.proof...)})
	}
	for l, name := range names {
		if _, ok := f.fits[l]; !ok && name > 0 {
			judge := fits{p: f.prof}
			if fit := judge.of(l); name+fit.weight > 0 {
				out = append(out, ranked{l, name + fit.weight, append([]Evidence{{What: "name", Matched: 1, Of: 1}}, fit.proof...)})
			}
		}
	}
	slices.SortFunc(out, func(a, b ranked) int {
		return cmp.Or(cmp.Compare(b.weight, a.weight), cmp.Compare(a.label, b.label))
	})
	return out
}

// Table classifies the columns of one table, each in the light of the others: a column "name" beside "price" and "sku" is not
// that of a person. It returns as many results as there are columns.
func (c *Classifier) Table(ctx context.Context, cols []Column) [][]Guess {
	firsts := make([]*first, len(cols))
	looks := make([][]ranked, len(cols))
	table := ""
	for i := range cols {
		firsts[i] = c.first(ctx, &cols[i])
		looks[i] = firsts[i].rank(firsts[i].names)
		if table == "" {
			table = cols[i].Table
		}
	}
	a := survey(table, looks)
	out := make([][]Guess, len(cols))
	for i, f := range firsts {
		shifted := a.shift(f.read, f.names)
		all := looks[i]
		if shifted {
			all = f.rank(f.names)
		}
		out[i] = c.guesses(all, shifted, &a, &cols[i], f)
	}
	return out
}

// guesses makes guesses of what was ranked.
func (c *Classifier) guesses(all []ranked, shifted bool, a *about, col *Column, f *first) []Guess {
	var out []Guess
	for i, r := range all {
		if r.weight < 1 || len(out) == maxGuesses {
			break
		}
		second := 0.0
		switch {
		case i > 0:
			second = all[0].weight
		case len(all) > 1:
			second = all[1].weight
		}
		g := Guess{Label: c.known(r.label), Confidence: confidence(r.weight, second), Evidence: r.proof}
		if shifted {
			g.Evidence = append(g.Evidence, Evidence{What: "other columns", Matched: 1, Of: 1})
		}
		if slices.ContainsFunc(out, func(o Guess) bool { return o.Label == g.Label }) {
			continue
		}
		if e, ok := c.stricter(g.Label, f.prof); ok {
			g.Confidence, g.Evidence = min(g.Confidence, doubt), append(g.Evidence, e)
		}
		if i == 0 || a.person {
			g.Unit = a.unit(r.label, col, f.prof)
		}
		out = append(out, g)
	}
	slices.SortStableFunc(out, func(a, b Guess) int { return cmp.Compare(b.Confidence, a.Confidence) })
	return out
}

// doubt is the most confidence in a label with values that are something stricter: below what anybody takes for a proposal.
const doubt = 40

// certain are types of finding that hardly any other value has the form of.
var certain = map[string]bool{detect.Email: true, detect.Card: true, detect.IBAN: true, detect.SSN: true, detect.Secret: true, detect.JWT: true, detect.PrivateKey: true}

// stricter returns what speaks against a label: values, one in fifty and three at least, that are of a stricter one for certain. Who
// takes their column for a category of orders would show them.
func (c *Classifier) stricter(l flow.Label, p *profile) (most Evidence, ok bool) {
	class, _ := c.tax.Class(l)
	if l.Within("text") {
		return most, false // what is in prose is looked for in each value, whatever the label
	}
	for form, n := range p.forms {
		found, _ := c.tax.Class(form.label)
		if !certain[form.what] && !form.own || found.Tier >= class.Tier || n < 3 || 50*n < p.n {
			continue
		}
		if e := (Evidence{What: "against: " + form.what, Matched: n, Of: p.n}); !ok || n > most.Matched || n == most.Matched && e.What < most.What {
			most, ok = e, true
		}
	}
	return most, ok
}

// maxGuesses is how many guesses there are at most for a column.
const maxGuesses = 5

// known is the label or the nearest of its parents that the taxonomy has.
func (c *Classifier) known(l flow.Label) flow.Label {
	for up := range l.Ancestors() {
		if c.tax.Known(up) {
			return up
		}
	}
	return flow.Unlabelled
}

// confidence is how many guesses of so much weight were right among the columns of the half that is for tuning, in percent. A second
// label that is close takes from it, and nothing is certain.
func confidence(weight, second float64) uint8 {
	x := 1.1*(weight-threshold) + .5*min(weight-second, 2) - .2
	return uint8(min(99, math.Round(100/(1+math.Exp(-x)))))
}
