package detect

import (
	"cmp"
	"io"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/scrimhq/scrim/flow"
)

// may reports whether a type or a list of one's own may have something at q, where the word or mark [q, we) stands.
func (r *rules) may(c *scanner, q, we int) bool {
	return r.first[c.s[q]] || r.words != nil && r.words.filter.may(hashWord(c.s[q:we]))
}

// match returns the longest finding of one's own that begins at q, under the strictest label of all that begin there and of
// listed words within. What it decides depends on what [scanner] may look at, and it says so when that is not there yet.
func (r *rules) match(c *scanner, q int) (f Finding, ok bool) {
	take := func(end int, by *rule) {
		label, score := by.label, by.score
		if ok {
			label, score = r.tax.Stricter(f.Label, label), max(f.Score, score)
		}
		if !ok || end > f.End || end == f.End && label != f.Label {
			f, ok = by.finding(q, end), true
		}
		f.Label, f.Score = label, score
	}
	if r.words != nil {
		if h, val := r.words.match(c, q); val != nil {
			take(h.end, &r.lists[r.listOf[val]])
		}
	}
	b := c.s[q]
	if !r.first[b] || isAlnum(b) && isAlnum(c.prev(q, 1)) {
		return f, ok
	}
	for i := range r.types {
		t := &r.types[i]
		for k := range t.patterns {
			p := &t.patterns[k]
			if !p.first[b] {
				continue
			}
			end := c.matchAt(p, q)
			if end > q && c.wordEnds(q, end) && t.checks(c.s[q:end]) && c.cuedBy(t, q, end) && !r.allows(t.kind, c.s[q:end]) {
				take(end, &t.rule)
			}
		}
	}
	if ok && !f.Listed() {
		var listed bool
		if f.Label, listed = r.raise(f.Label, c.s[q:f.End]); listed {
			f.Score = 1
		}
	}
	return f, ok
}

// raise returns the stricter of a label and those of the listed words in a text, and whether there are such.
func (r *rules) raise(l flow.Label, text string) (_ flow.Label, listed bool) {
	if r.words != nil {
		r.words.Each(text, func(k Known) { l, listed = r.tax.Stricter(l, k.Label), true })
	}
	return l, listed
}

// matchAt returns where the longest match of the pattern at q ends, 0 for none. It looks at no more than Holdback bytes.
func (c *scanner) matchAt(p *pattern, q int) int {
	var loc []int
	if end := min(q+Holdback, len(c.s)); end == q+Holdback || c.final {
		loc = p.re.FindStringIndex(c.s[q:end])
	} else { // what is read of what is there tells whether more could change it
		w := &window{rest: c.s[q:]}
		loc = p.re.FindReaderIndex(w)
		c.touched = c.touched || w.beyond
	}
	if loc == nil {
		return 0
	}
	return q + loc[1]
}

// window reads the text at hand from a place on, and notes whether more was asked for.
type window struct {
	rest   string
	beyond bool
}

// ReadRune is that of [io.RuneReader].
func (w *window) ReadRune() (rune, int, error) {
	if !utf8.FullRuneInString(w.rest) {
		w.beyond = true
		return 0, 0, io.EOF
	}
	r, n := utf8.DecodeRuneInString(w.rest)
	w.rest = w.rest[n:]
	return r, n, nil
}

// wordEnds reports whether a match does not end within a word. One that fills the whole window may: it is cut there.
func (c *scanner) wordEnds(q, end int) bool {
	if end == q+Holdback {
		return true
	}
	if last, _ := utf8.DecodeLastRuneInString(c.s[q:end]); !wordRune(last) {
		return true
	}
	next := c.s[end:min(q+Holdback, len(c.s))]
	if !utf8.FullRuneInString(next) && !c.final && end+len(next) == len(c.s) && len(c.s) < q+Holdback {
		c.touched = true
		return false
	}
	r, _ := utf8.DecodeRuneInString(next)
	return !wordRune(r)
}

// checks holds the letters and digits of a match to the type's check.
func (t *custom) checks(match string) bool {
	if t.check == nil {
		return true
	}
	var buf [Holdback]byte
	b := buf[:0]
	for i := range len(match) {
		if ch := match[i]; isAlnum(ch) {
			if isLetter(ch) {
				ch &^= 0x20
			}
			b = append(b, ch)
		} else if ch >= utf8.RuneSelf {
			return false
		}
	}
	return t.check(b)
}

// cuedBy reports whether one of the type's words stands near a match, if it needs one.
func (c *scanner) cuedBy(t *custom, q, end int) bool {
	if len(t.before)+len(t.after) == 0 {
		return true
	}
	if len(t.before) > 0 {
		left := c.left(q)
		if len(left) == behind { // its first word may be cut
			left = left[strings.IndexFunc(left, func(r rune) bool { return !wordRune(r) })+1:]
			if len(left) == behind {
				left = ""
			}
		}
		if hasWord(left, t.before) {
			return true
		}
	}
	if len(t.after) == 0 {
		return false
	}
	stop := min(end+behind, q+Holdback)
	if stop >= len(c.s) {
		if !c.final {
			c.touched = true // for the sake of what follows
			return false
		}
		return hasWord(c.s[end:], t.after)
	}
	right := c.s[end:stop]
	for len(right) > 0 { // its last word may be cut
		r, n := utf8.DecodeLastRuneInString(right)
		if !wordRune(r) && !(r == utf8.RuneError && n == 1) {
			break
		}
		right = right[:len(right)-n]
	}
	return hasWord(right, t.after)
}

// hasWord reports whether one of the words is in the text, whatever its case.
func hasWord(text string, words []string) bool {
	for w := range strings.FieldsFuncSeq(text, func(r rune) bool { return !wordRune(r) }) {
		if slices.ContainsFunc(words, func(x string) bool { return strings.EqualFold(x, w) }) {
			return true
		}
	}
	return false
}

// allows reports whether a text is never found as the type.
func (r *rules) allows(kind, text string) bool {
	for i := range r.allow {
		a := &r.allow[i]
		if len(a.types) > 0 && !slices.Contains(a.types, kind) {
			continue
		}
		if a.exact[text] || len(a.folded) > 0 && a.folded[strings.ToLower(text)] {
			return true
		}
		for _, re := range a.patterns {
			if re.MatchString(text) {
				return true
			}
		}
	}
	return false
}

// settle holds a finding of a built-in type to the rules. It reports whether the finding stays, and if not, whether its text
// is not to be looked at again.
func (r *rules) settle(f *Finding, text string) (stays, skip bool) {
	if slices.Contains(unchangeable, f.Type) {
		return true, false
	}
	ch := r.changes[f.Type]
	switch {
	case ch.Off || f.Score < cmp.Or(ch.MinScore, r.least):
		return false, false
	case ch.Label != "" && ch.Weaken:
		f.Label = ch.Label
	case ch.Label != "":
		f.Label = r.tax.Stricter(f.Label, ch.Label)
	}
	var protected bool // a value of a list stays one where it stands within something else
	if f.Label, protected = r.raise(f.Label, text); protected {
		f.Score = 1
	}
	if !protected && r.allows(f.Type, text) {
		return false, true
	}
	return true, false
}
