package inventory

import (
	"context"
	"slices"
	"strings"
	"unicode"

	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/privacy/detect/column"
)

const (
	maxJudged   = 20_000 // texts of one asset that are held against the classifier: where there are more, they name nothing
	maxCompared = 200    // values of a column that a header is compared with
	sureName    = 75     // percent, of a guess for a column called a name: ordinary words and short lists stay below

	listGiven, listFamily, listFull, listPlaces = "list given names", "list family names", "list full names", "list places"
)

// judge says of texts that stand where names do whether they are values that stand for somebody: it asks the classifier what they
// would be as values of one column. The nil judge takes none for such.
type judge struct {
	ctx  context.Context // of the scan that it belongs to
	c    Classifier
	left int // texts that may still be asked about
}

func (j *judge) ask(name string, values ...string) []column.Guess {
	if all := j.c.Table(j.ctx, []column.Column{{Name: name, Values: values}}); len(all) == 1 {
		return all[0]
	}
	return nil
}

// share is how much of the values a kind of evidence matched, 0 to 1.
func share(all []column.Guess, what string) (most float64) {
	for _, g := range all {
		for _, e := range g.Evidence {
			if e.What == what && e.Of > 0 {
				most = max(most, float64(e.Matched)/float64(e.Of))
			}
		}
	}
	return most
}

// spoken is a name as values are written: "anna_schmidt" is "Anna Schmidt".
func spoken(name string) string {
	words := strings.FieldsFunc(name, func(r rune) bool { return r == '_' || r == '.' || unicode.IsSpace(r) })
	for i, w := range words {
		if w == strings.ToLower(w) || w == strings.ToUpper(w) {
			r := []rune(strings.ToLower(w))
			r[0] = unicode.ToTitle(r[0])
			words[i] = string(r)
		}
	}
	return strings.Join(words, " ")
}

// unread are the names that say of no column what it holds, as values are written: those of one word that begin with a capital, and
// those of more words.
func (j *judge) unread(names []string) (one, more []string) {
	for _, n := range names {
		text := spoken(n)
		several := strings.ContainsRune(text, ' ')
		if !several && (strings.IndexFunc(n, unicode.IsUpper) != 0 || n == strings.ToUpper(n)) {
			continue
		}
		if j.left--; j.left < 0 {
			return one, more
		}
		switch {
		case len(j.ask(n)) > 0:
		case several:
			more = append(more, text)
		default:
			one = append(one, text)
		}
	}
	return one, more
}

// members reports whether the names of an object's members stand for people.
func (j *judge) members(names []string) bool {
	if j == nil || len(names) == 0 {
		return false
	}
	one, more := j.unread(names)
	least := 2
	if len(one) == len(names) {
		least = 1 // nothing that is a name of a member for certain stands beside it
	}
	return j.left < 0 || j.whole(more, false) || len(one) >= least && j.single(one)
}

// header reports whether the first row of a file is one of values: what stands in it is of the same kind as what stands below, or
// several of its cells stand for people.
func (j *judge) header(names []string, below func(column int) []string) bool {
	if j == nil {
		return false
	}
	for i, n := range names {
		if j.alike(n, below(i)) {
			return true
		}
	}
	one, more := j.unread(names)
	return j.left < 0 || len(more) > 1 && j.whole(more, true) || len(one) > 2 && j.single(one)
}

// one reports whether a single name, of which nothing else is known, may stand for somebody.
func (j *judge) one(name string) bool {
	if j == nil {
		return false
	}
	one, more := j.unread([]string{name})
	return j.left < 0 || j.whole(more, false) || len(one) > 0 && j.single(one)
}

// alike reports whether a header's cell is in the list that most values below it are in.
func (j *judge) alike(name string, values []string) bool {
	if len(values) == 0 || (spoken(name) == name) != (spoken(values[0]) == values[0]) {
		return false // "checked_in_at" is none of those who were
	}
	one, more := j.unread([]string{spoken(name)})
	text, kinds := append(one, more...), []struct{ column, what string }{{"name", listGiven}, {"name", listFamily}, {"city", listPlaces}}
	if len(text) == 0 {
		return false
	}
	if len(more) > 0 {
		kinds = []struct{ column, what string }{{"name", listFull}}
	}
	values = slices.Clone(values)
	for i := range values {
		values[i] = spoken(values[i])
	}
	for _, k := range kinds {
		cell := j.ask(k.column, text...)
		sure := k.column != "name" || len(cell) > 0 && cell[0].Confidence >= sureName
		if sure && share(cell, k.what) == 1 && share(j.ask(k.column, values...), k.what) >= .6 {
			return true
		}
	}
	return false
}

// naming are labels whose values stand for somebody.
var naming = []flow.Label{"person/name", "person/contact", "government-id", "finance/card", "finance/iban"}

// whole reports whether texts of several words are full names, addresses or numbers of people; strict, that they are no places too.
func (j *judge) whole(texts []string, strict bool) bool {
	if len(texts) == 0 {
		return false
	}
	all := j.ask("", texts...)
	if len(all) == 0 || all[0].Confidence < 50 {
		return false
	}
	for _, l := range naming {
		if all[0].Label.Within(l) {
			full, places := share(all, listFull), share(j.ask("city", texts...), listPlaces)
			return l != "person/name" || full > places || full == places && !strict
		}
	}
	return false
}

// single reports whether most of the words are names of people, and fewer are places.
func (j *judge) single(words []string) bool {
	all := j.ask("name", words...)
	if len(all) == 0 || !all[0].Label.Within("person/name") || all[0].Confidence < sureName {
		return false
	}
	ordinary := 0 // a judge, a bishop and a dean
	for _, w := range words {
		if g := j.ask("name", w); len(g) == 0 || g[0].Confidence < sureName {
			ordinary++
		}
	}
	s := max(share(all[:1], listGiven), share(all[:1], listFamily))
	return s >= .75 && 2*ordinary <= len(words) && (s > share(j.ask("city", words...), listPlaces) || len(words) == 1)
}
