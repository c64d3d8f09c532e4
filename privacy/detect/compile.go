package detect

import (
	"fmt"
	"maps"
	"regexp"
	"regexp/syntax"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/privacy/detect/idnumber"
)

// rules are [Rules] ready for use. They are immutable.
type rules struct {
	tax    *flow.Taxonomy
	types  []custom
	first  [256]bool // bytes that a type's match can begin with
	wide   bool      // one of them is not ASCII
	words  *KnownSet // values of all lists; nil: none
	lists  []rule    // of each list
	listOf map[*Known]int

	allow   []allowed
	changes map[string]Change
	least   float64 // the lowest score of a built-in type without one of its own
}

type custom struct {
	rule
	patterns      []pattern
	before, after []string
	check         func([]byte) bool
}

type pattern struct {
	re    *regexp.Regexp
	first [256]bool
}

type allowed struct {
	exact, folded map[string]bool
	patterns      []*regexp.Regexp
	types         []string
}

// unchangeable are types that no rule makes laxer: nobody looked into them, or they are known to be what they are.
var unchangeable = []string{KnownValue, Long, PrivateKey}

// compiler holds rules to what the documentation promises, and stops at the first mistake of each.
type compiler struct {
	r        *rules
	langs    []string
	names    map[string]bool
	builtin  map[string][]flow.Label
	patterns int
	allowed  int
	words    []Known
	list     []int // of each of words
	wrongs   []*RuleError
}

func (c *compiler) wrong(path, hint, what string, args ...any) {
	c.wrongs = append(c.wrongs, &RuleError{Path: path, What: fmt.Sprintf(what, args...), Hint: hint})
}

// compile returns the rules ready for texts in the languages (none: all), or all that is wrong with them.
func compile(in *Rules, tax *flow.Taxonomy, langs []string) (*rules, []*RuleError) {
	r := &rules{tax: tax, changes: maps.Clone(in.Builtin), listOf: map[*Known]int{}, least: in.MinScore}
	c := &compiler{r: r, langs: langs, names: map[string]bool{}, builtin: map[string][]flow.Label{}}
	for _, t := range Types() {
		c.builtin[t.Name] = t.Labels
	}
	c.score("min_score", in.MinScore)
	if len(in.Types)+len(in.Lists) > MaxCustomTypes {
		c.wrong("types", "", "there are more than %d types and lists", MaxCustomTypes)
		return nil, c.wrongs
	}
	for i := range in.Types {
		c.custom(fmt.Sprintf("types/%d", i), &in.Types[i])
	}
	for i := range in.Lists {
		c.wordList(fmt.Sprintf("lists/%d", i), &in.Lists[i])
	}
	for i := range in.Allow {
		c.allow(fmt.Sprintf("allow/%d", i), &in.Allow[i])
	}
	for _, name := range slices.Sorted(maps.Keys(in.Builtin)) {
		c.change("builtin/"+name, name, in.Builtin[name])
	}
	c.compileWords()
	if len(c.wrongs) > 0 {
		return nil, c.wrongs
	}
	return r, nil
}

// listed begins the name of the rule of a list.
const listed = "list/"

var typeName = regexp.MustCompile(`^[a-z0-9]+(-[a-z0-9]+)*$`)

// named checks what types and lists have in common, and reports whether the text's language is one of theirs.
func (c *compiler) named(at, name string, label flow.Label, languages []string) bool {
	switch {
	case len(name) > 63 || !typeName.MatchString(name):
		c.wrong(at+"/name", "lower-case words with dashes, such as staff-number", "not the name of a type")
	case c.builtin[name] != nil:
		c.wrong(at+"/name", "change the built-in type under builtin, or take another name", "a built-in type has this name")
	case c.names[name]:
		c.wrong(at+"/name", "", "another type or list has this name")
	}
	c.names[name] = true
	c.label(at+"/label", label)
	for i, l := range languages {
		if !Language(l) {
			c.wrong(fmt.Sprintf("%s/languages/%d", at, i), "such as de or pt-BR", "not a language")
		}
	}
	return len(languages) == 0 || len(c.langs) == 0 || slices.ContainsFunc(languages, func(l string) bool {
		return slices.ContainsFunc(c.langs, func(m string) bool { return primary(l) == primary(m) })
	})
}

var languageTag = regexp.MustCompile(`^[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8})*$`)

// Language reports whether the text has the form of a language's tag, such as de or pt-BR.
func Language(tag string) bool { return languageTag.MatchString(tag) }

// primary is the part of a tag that says which language: rules hold for all its regions.
func primary(tag string) string {
	l, _, _ := strings.Cut(strings.ToLower(tag), "-")
	return l
}

func (c *compiler) label(at string, l flow.Label) {
	if _, ok := c.r.tax.Class(l); !ok || l == flow.Unlabelled {
		c.wrong(at, "list it under taxonomy, or take a built-in label", "there is no class of this label")
	}
}

func (c *compiler) score(at string, s float64) {
	if !(s >= 0 && s <= 1) {
		c.wrong(at, "", "a score is between 0 and 1")
	}
}

func (c *compiler) custom(at string, t *Custom) {
	on := c.named(at, t.Name, t.Label, t.Languages)
	c.score(at+"/score", t.Score)
	out := custom{rule: rule{t.Name, t.Label, t.Score, "custom/" + t.Name}}
	out.check = c.check(at, t)
	if out.score == 0 {
		if out.score = .8; out.check != nil {
			out.score = .9
		}
	}
	out.before, out.after = c.cues(at+"/before", t.Before), c.cues(at+"/after", t.After)
	if len(t.Patterns) == 0 {
		c.wrong(at, "such as patterns: ['EMP-[0-9]{6}']", "a type needs a pattern")
	}
	for i, text := range t.Patterns {
		p, ok := c.pattern(fmt.Sprintf("%s/patterns/%d", at, i), text)
		if !ok {
			continue
		}
		out.patterns = append(out.patterns, p)
		for b, can := range p.first {
			if on && can {
				c.r.first[b] = true
				c.r.wide = c.r.wide || b >= utf8.RuneSelf
			}
		}
	}
	if on {
		c.r.types = append(c.r.types, out)
	}
}

func (c *compiler) check(at string, t *Custom) func([]byte) bool {
	if s := t.Checksum; s != nil {
		if t.Check != "" {
			c.wrong(at, "", "either check or checksum is expected")
		}
		if len(s.Weights) == 0 || len(s.Weights) > 64 || s.Modulus < 2 || s.Modulus > 1000 || s.Remainder < 0 || s.Remainder >= s.Modulus ||
			slices.ContainsFunc(s.Weights, func(w int) bool { return w < -1000 || w > 1000 }) {
			c.wrong(at+"/checksum", "1 to 64 weights of at most 1000, a modulus from 2 to 1000, and a remainder below it", "not a checksum")
			return nil
		}
		return idnumber.Weighted(s.Weights, s.Modulus, s.Remainder)
	}
	if t.Check == "" {
		return nil
	}
	check, ok := idnumber.Check(t.Check)
	if !ok {
		c.wrong(at+"/check", "one of "+strings.Join(idnumber.CheckNames(), ", ")+", or an official number's type such as pl-pesel", "there is no check of this name")
	}
	return check
}

func (c *compiler) cues(at string, words []string) []string {
	if len(words) > MaxCues {
		c.wrong(at, "", "there are more than %d words", MaxCues)
	}
	for i, w := range words {
		if len(w) > 32 || !isOneWord(w) {
			c.wrong(fmt.Sprintf("%s/%d", at, i), "letters and digits, at most 32 bytes", "one word is expected")
		}
	}
	return slices.Clone(words)
}

func isOneWord(w string) bool {
	for _, r := range w {
		if !wordRune(r) {
			return false
		}
	}
	return w != ""
}

func wordRune(r rune) bool { return r < utf8.RuneSelf && isAlnum(byte(r)) || letterRune(r) }

// pattern compiles a pattern so that a match begins where it is tried, and learns which bytes that can be.
func (c *compiler) pattern(at, text string) (p pattern, ok bool) {
	re, prog, ok := c.parse(at, text, `^(?:`+text+`)`)
	if !ok {
		return p, false
	}
	if firstBytes(prog, &p.first) {
		c.wrong(at, "let it have at least one character", "the pattern takes the empty text")
		return p, false
	}
	re.Longest()
	p.re = re
	return p, true
}

// parse compiles whole, which text stands in, and returns the program of text alone.
func (c *compiler) parse(at, text, whole string) (*regexp.Regexp, *syntax.Prog, bool) {
	if c.patterns++; c.patterns > MaxPatterns {
		c.wrong(at, "", "there are more than %d patterns", MaxPatterns)
		return nil, nil, false
	}
	if len(text) > MaxPattern {
		c.wrong(at, "", "the pattern is longer than %d bytes", MaxPattern)
		return nil, nil, false
	}
	tree, err := syntax.Parse(text, syntax.Perl)
	if err != nil {
		what := "not a pattern"
		if e, ok := err.(*syntax.Error); ok {
			what += ": " + e.Code.String() // the code says what is wrong, the rest of the error repeats the pattern
		}
		c.wrong(at, "patterns are those of RE2", "%s", what)
		return nil, nil, false
	}
	if anchored(tree) {
		c.wrong(at, "patterns are looked for anywhere in a text", "^ and $ are not for here")
		return nil, nil, false
	}
	prog, err := syntax.Compile(tree.Simplify())
	if err != nil || len(prog.Inst) > maxProgram {
		c.wrong(at, "repeat less", "the pattern is too large when compiled")
		return nil, nil, false
	}
	re, err := regexp.Compile(whole)
	if err != nil {
		c.wrong(at, "", "not a pattern")
		return nil, nil, false
	}
	return re, prog, true
}

// anchored reports whether a pattern asks where the text begins or ends, which nobody can say of a window.
func anchored(t *syntax.Regexp) bool {
	switch t.Op {
	case syntax.OpBeginLine, syntax.OpEndLine, syntax.OpBeginText, syntax.OpEndText:
		return true
	}
	return slices.ContainsFunc(t.Sub, anchored)
}

// firstBytes notes which bytes a match can begin with, and reports whether it can be empty.
func firstBytes(prog *syntax.Prog, first *[256]bool) (empty bool) {
	seen := make([]bool, len(prog.Inst))
	todo := []uint32{uint32(prog.Start)}
	for len(todo) > 0 {
		at := todo[len(todo)-1]
		todo = todo[:len(todo)-1]
		if seen[at] {
			continue
		}
		seen[at] = true
		in := &prog.Inst[at]
		switch in.Op {
		case syntax.InstAlt, syntax.InstAltMatch:
			todo = append(todo, in.Out, in.Arg)
		case syntax.InstCapture, syntax.InstNop, syntax.InstEmptyWidth:
			todo = append(todo, in.Out)
		case syntax.InstMatch:
			empty = true
		case syntax.InstFail:
		default:
			for b := range first {
				if b >= utf8.RuneSelf || in.MatchRune(rune(b)) { // runes beyond ASCII are told by the pattern itself
					first[b] = first[b] || b < utf8.RuneSelf || beyond(in)
				}
			}
		}
	}
	return empty
}

// beyond reports whether an instruction can take a rune that is not ASCII.
func beyond(in *syntax.Inst) bool {
	if in.Op == syntax.InstRuneAny || in.Op == syntax.InstRuneAnyNotNL {
		return true
	}
	if len(in.Rune) == 1 { // one rune, and its other cases if the case does not count
		r := in.Rune[0]
		if syntax.Flags(in.Arg)&syntax.FoldCase != 0 {
			for f := unicode.SimpleFold(r); f != r; f = unicode.SimpleFold(f) {
				if f >= utf8.RuneSelf {
					return true
				}
			}
		}
		return r >= utf8.RuneSelf
	}
	return len(in.Rune) > 0 && in.Rune[len(in.Rune)-1] >= utf8.RuneSelf
}

func (c *compiler) wordList(at string, l *WordList) {
	on := c.named(at, l.Name, l.Label, l.Languages)
	if len(l.Words) == 0 {
		c.wrong(at, "", "a list needs words")
	}
	for i, w := range l.Words {
		where := fmt.Sprintf("%s/words/%d", at, i)
		switch {
		case len(w) > MaxKnownBytes:
			c.wrong(where, "", "a word of a list has at most %d bytes", MaxKnownBytes)
		case !longEnough(w):
			c.wrong(where, "at least three letters or digits, or four digits", "it is so short that it would be found everywhere")
		}
		if on {
			c.words, c.list = append(c.words, Known{Text: w, Label: l.Label}), append(c.list, len(c.r.lists))
		}
	}
	if on {
		c.r.lists = append(c.r.lists, rule{l.Name, l.Label, 1, listed + l.Name})
	}
}

func (c *compiler) compileWords() {
	if len(c.words) > MaxKnown {
		c.wrong("lists", "", "the lists have more than %d words together", MaxKnown)
	}
	if len(c.words) == 0 || len(c.wrongs) > 0 {
		return
	}
	set, err := newKnownSet(c.words, false)
	if err != nil { // all that it refuses was refused above
		c.wrong("lists", "", "the words cannot be looked for")
		return
	}
	for i := range set.vals {
		c.r.listOf[&set.vals[i]] = c.list[i]
	}
	c.r.words, c.r.wide = set, c.r.wide || set.wide
	for b, mark := range set.marks {
		c.r.first[b] = c.r.first[b] || mark
	}
}

func (c *compiler) allow(at string, a *Allow) {
	out := allowed{exact: map[string]bool{}, folded: map[string]bool{}, types: slices.Clone(a.Types)}
	if len(a.Values)+len(a.Exact)+len(a.Patterns) == 0 {
		c.wrong(at, "values, exact or patterns", "it allows nothing")
	}
	if c.allowed += len(a.Values) + len(a.Exact); c.allowed > MaxAllowed {
		c.wrong(at, "", "there are more than %d values", MaxAllowed)
	}
	for _, v := range a.Values {
		out.folded[strings.ToLower(v)] = true
	}
	for _, v := range a.Exact {
		out.exact[v] = true
	}
	for i, text := range a.Patterns {
		where := fmt.Sprintf("%s/patterns/%d", at, i)
		if re, _, ok := c.parse(where, text, `\A(?:`+text+`)\z`); ok {
			out.patterns = append(out.patterns, re)
		}
	}
	for i, name := range a.Types {
		if c.builtin[name] == nil && !c.names[name] || slices.Contains(unchangeable, name) {
			c.wrong(fmt.Sprintf("%s/types/%d", at, i), "scrim detect types lists them", "there is no type of this name that can be allowed")
		}
	}
	c.r.allow = append(c.r.allow, out)
}

func (c *compiler) change(at, name string, ch Change) {
	labels := c.builtin[name]
	if labels == nil || slices.Contains(unchangeable, name) {
		c.wrong(at, "scrim detect types lists them", "there is no built-in type of this name that can be changed")
		return
	}
	c.score(at+"/min_score", ch.MinScore)
	if ch.Off && (ch.Label != "" || ch.MinScore != 0 || ch.Weaken) {
		c.wrong(at, "", "what is off needs nothing else")
	}
	if ch.Label == "" {
		if ch.Weaken {
			c.wrong(at+"/weaken", "", "it is for a label")
		}
		return
	}
	c.label(at+"/label", ch.Label)
	for _, l := range labels {
		if !ch.Weaken && c.r.tax.Stricter(l, ch.Label) != ch.Label {
			c.wrong(at+"/label", "say weaken: true if that is what you want", "the label is not stricter than the type's own, %s", l)
			return
		}
	}
}
