package detect

import "strings"

// documentForm has how the numbers of a kind of document are written after a word that announces them: 9 a digit, A a capital, X
// either. Spaces and dashes may stand anywhere between.
type documentForm struct {
	rule  *rule
	named bool // "number", "code", "#" or ":" must stand between the word and the number
	forms [longestDocument + 1][]string
}

// longestDocument is how many letters and digits the number of a document has at most.
const longestDocument = 18

var documents = func() (t [cueKinds]documentForm) {
	add := func(kind cueKind, r *rule, named bool, forms string) {
		d := &t[kind]
		d.rule, d.named = r, named
		for f := range strings.FieldsSeq(forms) {
			d.forms[len(f)] = append(d.forms[len(f)], f)
		}
	}
	add(cuePassport, &byPassport, false, `999999999 A99999999 A9999999 A999999 AA999999 AA9999999 AAA999999 99AA99999 AXXXXXXX9 AXXXXXXXX AA99999999 AA999999A 9999999999`)
	add(cueLicence, &byLicence, true, `A9999999 A99999999 A999999999999 A99999999999 A99999999999999 AA9999999A AA9999999999999 AA999999 AA9999999 99999999 999999999 9999999999
		99999999999 999999999999 AXXXXXXXXXX A9XXXXXXXXX`)
	add(cueSort, &bySort, true, `999999`)
	return t
}()

// document takes the number of a passport, a driver's licence or a bank's branch by its form, where a word before it says so.
func (c *scanner) document(q int) (hit, bool) {
	cue := c.cue(q)
	d := &documents[cue.kind]
	if d.rule == nil || d.named && !cue.named || !c.opens(q, false) {
		return hit{}, false
	}
	var b [longestDocument]byte
	var end, upTo [6]int
	n, groups, i, small := 0, 0, q, false
	for groups < len(end) {
		start := n
		for ; isAlnum(c.at(i)) && n < len(b); i++ {
			b[n] = c.at(i)
			if isLetter(b[n]) && !isUpper(b[n]) {
				b[n] &^= 0x20
				small = true
			}
			n++
		}
		if n == start || isAlnum(c.at(i)) || small && groups > 0 { // the next words are no part of it
			break
		}
		end[groups], upTo[groups] = i, n
		groups++
		if b := c.at(i); b != ' ' && b != '-' || small {
			break
		}
		i++
	}
	for g := groups - 1; g >= 0; g-- {
		if !c.closes(end[g]) {
			continue
		}
		for _, f := range d.forms[upTo[g]] {
			if fitsForm(f, b[:upTo[g]]) {
				return hit{end[g], d.rule}, true
			}
		}
	}
	return hit{}, false
}

// fitsForm reports whether letters in capitals and digits fit a form of their length. Four of them are digits.
func fitsForm(form string, b []byte) bool {
	digits := 0
	for i := range b {
		if isDigit(b[i]) {
			digits++
		}
		if form[i] != 'X' && isDigit(b[i]) != (form[i] == '9') {
			return false
		}
	}
	return digits >= 4
}

// deviceWords need no "id" or "number" after them.
var deviceWords = wordSet("imsi iccid idfa idfv gaid aaid udid meid")

// device takes the identifier of a device after a word for one: letters and digits in one piece or with dashes, ICCIDs in groups.
func (c *scanner) device(q int) (hit, bool) {
	cue := c.cue(q)
	var buf [16]byte
	serial := cue.kind == cueOther && cue.lower(&buf) == "serial"
	if cue.kind != cueDevice && !serial || !cue.named && !deviceWords[cue.lower(&buf)] || !c.opens(q, false) {
		return hit{}, false
	}
	n, digits, i := 0, 0, q
	for ; n <= 40; i++ {
		b := c.at(i)
		if isAlnum(b) {
			n++
			if isDigit(b) {
				digits++
			}
		} else if !(b == '-' || b == ' ' && n == digits && n%4 == 0 && n < 20 && cue.lower(&buf) == "iccid") || !isAlnum(c.at(i+1)) {
			break
		}
	}
	if n < 8 || n > 40 || digits < 3 || !c.closes(i) {
		return hit{}, false
	}
	return hit{i, &byDevice}, true
}
