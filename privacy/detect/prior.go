package detect

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/scrimhq/scrim/flow"
)

// Prior returns the label that the names around a structured value give it, if the value can be such a thing at all: "ssn" above
// nine digits, "dob" above a date. Names come nearest first: the member's own, what a schema calls it, then those of the objects
// around it, so that {"patient": {"name": …}} and {"contact": {"person": …}} are people. It is for values that nothing else labels,
// and only ever to be taken as well as what is found in the value.
func Prior(value string, names ...string) (flow.Label, bool) {
	if len(names) == 0 || len(value) > Holdback {
		return "", false
	}
	value = strings.TrimSpace(value)
	for i, name := range names {
		step := lastStep(name)
		if l, ok := HintLabel(step); ok {
			return l, fits(l, value)
		}
		if i == 3 || !bare[strings.ToLower(step)] {
			break
		}
	}
	if len(names) > 1 && fits("person/name", value) && personal[strings.ToLower(lastStep(names[1]))] && personal[strings.ToLower(lastStep(names[0]))] {
		return "person/name", true // "contact": {"person": "…"}
	}
	first, second, ok := strings.Cut(names[0], ".")
	if ok && personal[strings.ToLower(first)] && personal[strings.ToLower(second)] && fits("person/name", value) {
		return "person/name", true
	}
	return "", false
}

// personal are names of members that are about a person, and of no one thing about them.
var personal = wordSet("person contact patient customer client user member employee applicant subscriber guardian spouse owner holder recipient manager who")

// bare are names of members that only what is around them says anything about.
var bare = func() map[string]bool {
	m := wordSet("value v val values text content data raw full number no line item")
	m[""] = true // an element of an array
	return m
}()

// lastStep is the last step of "patient.name" and of "/patients/0/name".
func lastStep(name string) string {
	return name[strings.LastIndexAny(name, "./")+1:]
}

// content is what a value is made of.
type content struct {
	digits, letters, others, words int
	flat                           bool // no line ends
}

func contentOf(value string) (c content) {
	c.flat = true
	in := false
	for _, r := range value {
		letter := unicode.IsLetter(r)
		switch {
		case '0' <= r && r <= '9', unicode.IsDigit(r):
			c.digits++
		case letter:
			c.letters++
		case r == '\n':
			c.flat = false
		case !unicode.IsSpace(r):
			c.others++
		}
		if letter && !in {
			c.words++
		}
		in = letter || in && (unicode.IsMark(r) || r == '\'' || r == '’' || r == '-')
	}
	return c
}

// numbered are labels of numbers and codes: how many digits there must be at least, and whether letters may stand among them.
var numbered = map[flow.Label]struct {
	digits, letters int
}{
	"person/contact/phone": {5, 6}, "government-id/ssn": {4, 0}, "government-id/national": {5, 8}, "government-id/tax": {5, 8},
	"government-id/passport": {4, 6}, "government-id/driver-licence": {3, 12}, "health/record-number": {3, 12}, "health/claim-number": {3, 12},
	"health/member-number": {3, 12}, "finance/card": {12, 0}, "finance/iban": {10, 22}, "finance/account": {4, 12}, "vehicle/vin": {4, 17},
	"organization/employee-id": {2, 12}, "organization/customer-id": {2, 12}, "organization/order-id": {2, 12}, "person/birth-date": {4, 10},
	"person/death-date": {4, 10}, "health/visit-date": {4, 10}, "finance/income": {2, 4}, "finance/credit-score": {2, 0}, "person/age": {1, 12},
	"location/postal": {2, 5}, "location/coordinates": {1, 4}, "technical/ip": {1, 12},
}

// fits reports whether a value can be of a label at all. It errs on the side of yes.
func fits(l flow.Label, value string) bool {
	if value == "" || !utf8.ValidString(value) {
		return false
	}
	switch strings.ToLower(value) {
	case "null", "none", "n/a", "na", "true", "false", "yes", "no", "unknown", "-":
		return false
	}
	c := contentOf(value)
	if n, ok := numbered[l]; ok {
		return c.digits >= n.digits && c.letters <= n.letters
	}
	switch {
	case l.Within("person/name"), l == "location/city", l == "location/country", l == "location/region", l == "person/nationality", l == "work/title":
		return c.letters > 0 && c.digits == 0 && c.words <= 8 && c.flat
	case l == "person/contact/email":
		return strings.Contains(value, "@") || strings.Contains(strings.ToLower(value), " at ")
	case l == "technical/url", l == "technical/mac":
		return strings.ContainsAny(value, ".:-")
	case l == "finance/swift":
		return c.letters >= 6 && len(value) <= 11
	}
	return true
}
