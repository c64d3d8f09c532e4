package detect

import (
	"slices"

	"github.com/scrimhq/scrim/privacy/detect/idnumber"
)

// officialRules has the rule of each kind of official number.
var officialRules = func() map[*idnumber.Kind]*rule {
	m := map[*idnumber.Kind]*rule{}
	for _, k := range idnumber.Kinds() {
		score := .9
		if k.Gate == idnumber.Cued {
			score = .8
		}
		m[k] = &rule{k.Name, k.Label, score, k.Name + "/check"}
	}
	return m
}()

// official takes a number that a state or registry gave out: its form and check digits say which, and where they are not
// enough, the groups that it is written in or a cue before it.
func (c *scanner) official(q int) (hit, bool) {
	var sp spelling
	sp.read(c, q)
	if sp.n < idnumber.Shortest || !c.opens(q, true) && c.cue(q).kind < cueSSN {
		return hit{}, false
	}
	for g := sp.groups - 1; g >= 0; g-- {
		n := sp.upTo[g]
		if n < idnumber.Shortest {
			break
		}
		if !c.closes(sp.end[g]) || g+1 < sp.groups && sp.sep[g+1] != ' ' && sp.sep[g+1] != '/' {
			continue
		}
		if taken := idnumber.First(sp.b[:n], func(k *idnumber.Kind) bool { return c.gated(q, k, &sp, g) }); taken != nil {
			return hit{sp.end[g], officialRules[taken]}, true
		}
	}
	return hit{}, false
}

// gated reports whether what a number of the kind needs beside its check is there.
func (c *scanner) gated(q int, k *idnumber.Kind, sp *spelling, g int) bool {
	cue := c.cue(q)
	if cue.kind == cueOther {
		return false
	}
	cued := cue.kind == cueOfficial || cue.word != "" && slices.Contains(k.Cues, cue.lower(new([16]byte)))
	if k.Gate == idnumber.Cued && !cued {
		return false
	}
	written := false
	if g > 0 {
		for _, form := range k.Groups {
			written = written || sp.is(form, g)
		}
	}
	switch {
	case g > 0 && !written:
		return cued && sp.uniform(g)
	case k.Gate == idnumber.Always:
		return sp.lower == 0 || sp.lower > sp.upTo[g] || cued || written
	}
	return cued || written
}

// spelling is a number as it is written: letters and digits in groups with a mark between them.
type spelling struct {
	n      int
	b      [idnumber.Longest]byte // in capitals
	lower  int                    // the first that was none, counted from 1; 0: all were
	groups int
	upTo   [8]int // characters up to the end of each group
	end    [8]int // where each group ends in the text
	sep    [8]byte
}

// lettersFrom is how many characters come before a space and a group that begins with a letter: the word after a short
// number is none.
const lettersFrom = 7

// read fills the spelling from q on. What is longer than any number is left out, with the group that it is in.
func (sp *spelling) read(c *scanner, q int) {
	i, sep := q, byte(0)
	for sp.groups < len(sp.end) {
		start := sp.n
		if sep == ' ' && start < lettersFrom && isLetter(c.at(i)) {
			return
		}
		for ; isAlnum(c.at(i)); i++ {
			if sp.n == len(sp.b) {
				return
			}
			b := c.at(i)
			if isLetter(b) && !isUpper(b) {
				if sp.lower == 0 {
					sp.lower = sp.n + 1
				}
				b &^= 0x20
			}
			sp.b[sp.n] = b
			sp.n++
		}
		if sp.n == start {
			return
		}
		sp.upTo[sp.groups], sp.end[sp.groups], sp.sep[sp.groups] = sp.n, i, sep
		sp.groups++
		switch sep = c.at(i); sep {
		case ' ', '-', '.', '/', '+':
			i++
		default:
			return
		}
	}
}

// uniform reports whether one mark separates all groups up to g.
func (sp *spelling) uniform(g int) bool {
	for i := 2; i <= g; i++ {
		if sp.sep[i] != sp.sep[1] {
			return false
		}
	}
	return sp.sep[1] != '+'
}

// is reports whether the groups up to g are spelled in the form, such as "3.3.3-2". A space in the form stands for any mark.
func (sp *spelling) is(form string, g int) bool {
	if len(form) != 2*g+1 {
		return false
	}
	at, from := 0, 0
	for i := 0; i <= g; i++ {
		if i > 0 {
			if at == len(form) || form[at] != sp.sep[i] && form[at] != ' ' {
				return false
			}
			at++
		}
		if at == len(form) || int(form[at]-'0') != sp.upTo[i]-from {
			return false
		}
		at++
		from = sp.upTo[i]
	}
	return at == len(form)
}

// twoCapitals reports whether a word can be the letters before a number that is written in groups, as in "AB 12 34 56 C".
func twoCapitals(word string) bool { return len(word) == 2 && isUpper(word[0]) && isUpper(word[1]) }
