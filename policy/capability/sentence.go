package capability

import "strings"

// Sentence tells what a grant admits, for a person.
func Sentence(g Grant) string {
	return g.Agent + " may, until " + g.Expires.Format("2006-01-02 15:04 MST")
}

// String tells what the chain admits, for a person: its leaf, and how it came to be.
func (vd *Verified) String() string {
	var b strings.Builder
	for i := range vd.Links {
		b.WriteString(Sentence(vd.Links[i].Grant) + "\n")
	}
	return b.String()
}
