package detect

import (
	"context"
	"slices"
	"strings"
	"sync"

	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/privacy/detect/tag"
)

// Types of finding that the tagger of names makes.
const (
	Person       = "person"
	Place        = "place"
	Organization = "organization"
	Profession   = "profession"
	Nationality  = "nationality"
	Honorific    = "honorific"
)

// nameTypes and nameLabels say what a name is, by its kind.
var (
	nameTypes  = [tag.Kinds]string{tag.Person: Person, tag.Place: Place, tag.Address: Address, tag.Organisation: Organization, tag.Profession: Profession, tag.Nationality: Nationality, tag.Honorific: Honorific}
	nameLabels = [tag.Kinds]flow.Label{tag.Person: "person/name", tag.Place: "location/city", tag.Address: "person/contact/address",
		tag.Organisation: "organization", tag.Profession: "work/title", tag.Nationality: "person/nationality", tag.Honorific: "work/title"}
)

// nameRules has the rule of each kind.
var nameRules = func() (t [tag.Kinds]string) {
	for i, name := range nameTypes {
		t[i] = name + "/tagger"
	}
	return t
}()

// named makes a finding of a name.
func named(s *tag.Span) Finding {
	f := Finding{Start: s.Start, End: s.End, Type: nameTypes[s.Kind], Label: nameLabels[s.Kind], Score: s.Score, By: nameRules[s.Kind]}
	switch s.Sort {
	case tag.Country:
		f.Label = "location/country"
	case tag.Region:
		f.Label = "location/region"
	case tag.Gendered:
		f.Label = "person/gender"
	}
	if s.Repeated {
		f.By = Person + "/repeated"
	}
	return f
}

// keeps reports whether the rules let a name stand, and gives it the label that they have for it.
func (e *Engine) keeps(f *Finding, text string) bool {
	if e.rules == nil {
		return true
	}
	stays, _ := e.rules.settle(f, text)
	return stays
}

// names appends the names of a text to findings of it, where nothing else was found.
func (e *Engine) names(ctx context.Context, out []Finding, from int, text string, causal bool) ([]Finding, error) {
	if e.tagger == nil {
		return out, nil
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	p := spanMemory.Get().(*[]tag.Span)
	defer spanMemory.Put(p)
	find := e.tagger.Append
	if causal {
		find = e.tagger.AppendCausal
	}
	spans := find((*p)[:0], text)
	*p = spans
	if len(spans) == 0 {
		return out, nil
	}
	forms := out[from:]
	at, sorted := 0, true
	for i := range spans {
		f := named(&spans[i])
		for at < len(forms) && forms[at].End <= f.Start {
			at++
		}
		for k, start := at, f.Start; ; k++ { // what is left of it between what was found by form
			end := f.End
			if k < len(forms) {
				end = min(end, forms[k].Start)
			}
			if g := trimmed(f, start, end, text, 0); g.Start < g.End {
				out = append(out, g) // what rules look at is there, so that it costs no memory of its own
				if e.keeps(&out[len(out)-1], text[g.Start:g.End]) {
					sorted = false
				} else {
					out = out[:len(out)-1]
				}
			}
			if k == len(forms) || forms[k].Start >= f.End {
				break
			}
			start = max(start, forms[k].End)
		}
	}
	if !sorted {
		slices.SortFunc(out[from:], func(a, b Finding) int { return a.Start - b.Start })
	}
	return out, nil
}

var spanMemory = sync.Pool{New: func() any { return new([]tag.Span) }}

// trimmed cuts a name down to a part of it, without marks at its ends; to nothing, if it says nothing by itself. The text begins at base.
func trimmed(f Finding, start, end int, text string, base int) Finding {
	for start < end && classes[text[start-base]]&(cWord|cHigh) == 0 {
		start++
	}
	for start < end && classes[text[end-1-base]]&(cWord|cHigh) == 0 {
		end--
	}
	if f.Type == Address && start < end && end-start < 8 && end-start < f.End-f.Start && strings.IndexByte(text[start-base:end-base], ' ') < 0 {
		end = start // "street", after an address that was found by form
	}
	f.Start, f.End = start, end
	return f
}
