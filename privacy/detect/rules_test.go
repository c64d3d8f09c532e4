package detect

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/scrimhq/scrim/flow"
)

func ruled(t testing.TB, r Rules, langs ...string) *Engine {
	t.Helper()
	e, err := New(Options{FormsOnly: true, Rules: &r, Languages: langs})
	if err != nil {
		t.Fatal(err)
	}
	return e
}

// manyRules has one of everything, and patterns that are nasty to machines that backtrack.
var manyRules = Rules{
	Types: []Custom{
		{Name: "staff-number", Label: "organization/employee-id", Patterns: []string{`EMP-[0-9]{6}`, `#E[0-9]+`}},
		{Name: "project", Label: "organization", Patterns: []string{`(?i)project [a-z]+( [a-z]+)?`}},
		{Name: "locker", Label: "organization/employee-id", Patterns: []string{`[0-9]{3}`}, Before: []string{"locker", "Spind"}, After: []string{"locker"}},
		{Name: "membership", Label: "organization/customer-id", Patterns: []string{`[0-9]{4} ?[0-9]{4}`}, Check: "luhn"},
		{Name: "greek", Label: "organization", Patterns: []string{`[α-ω]{4,}`, `会社.{1,3}`}},
		{Name: "hungry", Label: "organization", Patterns: []string{`q(?:[ a-z]*)*z`}},
	},
	Lists: []WordList{{Name: "secret-project", Label: "secret/password", Words: []string{"Blue Heron", "Ωmega", "社外秘資料"}}},
	Allow: []Allow{
		{Values: []string{"support@example.org"}},
		{Exact: []string{"+1 212 555 0142"}, Types: []string{Phone}},
		{Patterns: []string{`.*@example\.net`}, Types: []string{Email}},
	},
	Builtin: map[string]Change{Date: {Off: true}, IP: {Label: "secret/password"}, Phone: {MinScore: .7}},
}

func told(t testing.TB, e *Engine, text string) string {
	t.Helper()
	found, err := e.Find(ctx, text, nil)
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	for _, f := range found {
		fmt.Fprintf(&b, "%s=%s:%s ", f.Type, text[f.Start:f.End], f.Label)
	}
	return strings.TrimSpace(b.String())
}

func TestRulesOfOnesOwn(t *testing.T) {
	e := ruled(t, manyRules)
	for _, c := range []struct{ name, text, want string }{
		{"a pattern", "ask EMP-123456 today", "staff-number=EMP-123456:organization/employee-id"},
		{"not within a word", "XEMP-123456 EMP-1234567", ""},
		{"one that begins with a mark", "see #E42.", "staff-number=#E42:organization/employee-id"},
		{"the longest match", "Project apple pie now", "project=Project apple pie:organization"},
		{"no cue", "room 123 here", ""},
		{"cue before", "Locker no. 123 here", "locker=123:organization/employee-id"},
		{"cue after", "123 is his locker.", "locker=123:organization/employee-id"},
		{"a cue that the window cuts out of a word before", "b" + "locker" + strings.Repeat(" ", 58) + "123", ""},
		{"and one as long as the window", "blocker" + strings.Repeat("-", 57) + "123 ", ""},
		{"a cue that the window cuts out of a word after", "123" + strings.Repeat(" ", 58) + "lockersmith", ""},
		{"a cue at the window's edge", "123" + strings.Repeat(" ", 57) + "locker x", "locker=123:organization/employee-id"},
		{"a cue is a whole word", "blocker 123, lockers", ""},
		{"check", "4992 7398 is one", ""},
		{"check fits", "1234 5674 is one", "membership=1234 5674:organization/customer-id"},
		{"letters beyond ASCII", "of αβγδ and 会社だめ", "greek=αβγδ:organization greek=会社だめ:organization"},
		{"a list whatever the case", "about BLUE\n heron, and ωMEGA", "secret-project=BLUE\n heron:secret/password secret-project=ωMEGA:secret/password"},
		{"a list without spaces", "これは社外秘資料です", "secret-project=社外秘資料:secret/password"},
		{"within something else", "https://example.org/?q=ωmega", "url=https://example.org/?q=ωmega:secret/password"},
		{"within a type of one's own", "Project blue heron now", "project=Project blue heron:secret/password"},
		{"allowed", "Support@Example.org and x@example.net but y@example.org", "email=y@example.org:person/contact/email"},
		{"allowed as it is written", "+1 212 555 0142 and +1 212 555 0143", "phone=+1 212 555 0143:person/contact/phone"},
		{"switched off", "on 2024-03-17 we met", ""},
		{"a stricter label", "from 192.0.2.17 on", "ip=192.0.2.17:secret/password"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := told(t, e, c.text); got != c.want {
				t.Errorf("%q: found %q, want %q", c.text, got, c.want)
			}
		})
	}
}

func TestKnownValuesAreNeverAllowed(t *testing.T) {
	e := ruled(t, manyRules)
	known, err := NewKnownSet([]Known{{"support@example.org", "person/contact/email"}})
	if err != nil {
		t.Fatal(err)
	}
	found, _ := e.Find(ctx, "to support@example.org", known)
	if len(found) != 1 || found[0].Type != KnownValue {
		t.Errorf("found %v, want the known value", found)
	}
}

// TestAListedWordWithinAKnownValue: a task that knows a longer value under a mild label does not make the word in it mild.
func TestAListedWordWithinAKnownValue(t *testing.T) {
	known, err := NewKnownSet([]Known{{"Friends of Blue Heron", "organization"}})
	if err != nil {
		t.Fatal(err)
	}
	found, _ := ruled(t, manyRules).Find(ctx, "the friends of blue heron met", known)
	if len(found) != 1 || found[0].Type != KnownValue || found[0].Label != "secret/password" {
		t.Errorf("found %v, want one known value with the list's label", found)
	}
}

// TestTheStricterOfTwoTypes: a longer match of one type does not make the beginning that another takes milder.
func TestTheStricterOfTwoTypes(t *testing.T) {
	e := ruled(t, Rules{Types: []Custom{
		{Name: "part-code", Label: "organization", Patterns: []string{`[A-Z]+-[0-9]+`}}, {Name: "part-word", Label: "secret/password", Patterns: []string{`[A-Z]+`}},
	}})
	if got, want := told(t, e, "it is ABC-12"), "part-code=ABC-12:secret/password"; got != want {
		t.Errorf("found %q, want %q", got, want)
	}
}

// TestOwnNameIsNotMilder: to call what is a card something else does not make it milder.
func TestOwnNameIsNotMilder(t *testing.T) {
	e := ruled(t, Rules{Types: []Custom{{Name: "reward", Label: "technical/url", Patterns: []string{`[0-9]{4}( [0-9]{4}){3}`}}}})
	if got, want := told(t, e, "pay 4111 1111 1111 1111"), "reward=4111 1111 1111 1111:finance/card"; got != want {
		t.Errorf("found %q, want %q", got, want)
	}
}

func TestLanguagesOfRules(t *testing.T) {
	r := Rules{Types: []Custom{{Name: "kfz", Label: "vehicle/plate", Patterns: []string{`HH-[A-Z]{2} [0-9]{1,4}`}, Languages: []string{"de"}}}}
	for lang, want := range map[string]string{"": "kfz=HH-AB 12:vehicle/plate", "de-AT": "kfz=HH-AB 12:vehicle/plate", "fr": ""} {
		var langs []string
		if lang != "" {
			langs = []string{lang}
		}
		if got := told(t, ruled(t, r, langs...), "a HH-AB 12"); got != want {
			t.Errorf("%q: found %q, want %q", lang, got, want)
		}
	}
}

func TestWrongRules(t *testing.T) {
	one := func(c Custom) Rules {
		if c.Name == "" {
			c.Name = "mine"
		}
		if c.Label == "" {
			c.Label = "organization"
		}
		return Rules{Types: []Custom{c}}
	}
	p := []string{"x"}
	for at, r := range map[string]Rules{
		"types/0/name":            one(Custom{Name: "My Type", Patterns: p}),
		"types/0/label":           one(Custom{Label: "no/such", Patterns: p}),
		"types/0":                 one(Custom{}),
		"types/0/patterns/0":      one(Custom{Patterns: []string{`(?=s3cr3t)`}}),
		"types/0/patterns/1":      one(Custom{Patterns: []string{`x`, `^s3cr3t$`}}),
		"types/0/patterns/2":      one(Custom{Patterns: []string{`x`, `y`, `(s3cr3t)*`}}),
		"types/0/patterns/3":      one(Custom{Patterns: []string{`x`, `y`, `z`, `(s3cr3t[a-z]{1000}){1000}`}}),
		"types/0/patterns/4":      one(Custom{Patterns: []string{`x`, `y`, `z`, `a`, `((s3cr3t[a-z]{9}){9}){90}`}}),
		"types/0/check":           one(Custom{Patterns: p, Check: "lunh"}),
		"types/0/checksum":        one(Custom{Patterns: p, Checksum: &Checksum{Weights: []int{1}, Modulus: 0}}),
		"types/0/score":           one(Custom{Patterns: p, Score: 1.5}),
		"types/0/before/0":        one(Custom{Patterns: p, Before: []string{"two words"}}),
		"types/0/languages/0":     one(Custom{Patterns: p, Languages: []string{"deutsch!"}}),
		"types/1/name":            {Types: []Custom{{Name: "a", Label: "organization", Patterns: p}, {Name: "email", Label: "organization", Patterns: p}}},
		"lists/0/words/0":         {Lists: []WordList{{Name: "l", Label: "organization", Words: []string{"ab"}}}},
		"allow/0":                 {Allow: []Allow{{}}},
		"allow/0/types/0":         {Allow: []Allow{{Values: p, Types: []string{KnownValue}}}},
		"builtin/card/label":      {Builtin: map[string]Change{Card: {Label: "technical/url"}}},
		"builtin/private-key":     {Builtin: map[string]Change{PrivateKey: {Off: true}}},
		"builtin/crd":             {Builtin: map[string]Change{"crd": {Off: true}}},
		"builtin/email/min_score": {Builtin: map[string]Change{Email: {MinScore: -1}}},
		"types":                   {Types: make([]Custom, MaxCustomTypes+1)},
		"builtin/phone/weaken":    {Builtin: map[string]Change{Phone: {Weaken: true}}},
		"allow/0/patterns/0":      {Allow: []Allow{{Patterns: []string{"[s3cr3t"}}}},
		"builtin/ip":              {Builtin: map[string]Change{IP: {Off: true, MinScore: .5}}},
	} {
		_, err := New(Options{FormsOnly: true, Rules: &r})
		var wrong *RuleError
		if !errors.As(err, &wrong) || wrong.Path != at {
			t.Errorf("%s: New() error = %v", at, err)
		} else if strings.Contains(err.Error()+wrong.Hint, "s3cr3t") {
			t.Errorf("%s: the error repeats the rule: %v", at, err)
		}
	}
	many := Rules{Types: []Custom{{Name: "m", Label: "organization", Patterns: slices.Repeat(p, MaxPatterns+1)}}}
	if _, err := New(Options{FormsOnly: true, Rules: &many}); err == nil {
		t.Error("too many patterns are taken")
	}
}

// ruledFragments are parts of texts that the rules have something to say of.
var ruledFragments = []string{
	"EMP-123456", "EMP-12345", "#E42", "#E", "Project", "project apple", "pie", "locker", "Spind", "123", "456", "lockers", "1234 5674", "12345674", "αβγδ", "αβ", "会社", "だめ",
	"Blue", "Heron", "blue heron", "Ωmega", "社外秘資料", "社外秘", "support@example.org", "x@example.net", "+1 212 555 0142", "2024-03-17", "192.0.2.17",
	"q" + strings.Repeat(" ab", 90), "q" + strings.Repeat("a ", 100) + "z", "https://e.org/?q=ωmega&x=EMP-123456", "locker" + strings.Repeat(" ", 60), "lock", "er",
}

// TestStreamEqualsFindByRules cuts texts anywhere: rules must not see more of the whole than of its pieces.
func TestStreamEqualsFindByRules(t *testing.T) {
	e, known := ruled(t, manyRules), someKnown(t)
	for seed := range rounds(1500, 20_000) {
		r := rand.New(rand.NewPCG(seed, 11))
		var b strings.Builder
		for range 1 + r.IntN(14) {
			from := ruledFragments
			if r.IntN(3) == 0 {
				from = fragments
			}
			b.WriteString(from[r.IntN(len(from))] + glue[r.IntN(len(glue))])
		}
		k := known
		if seed%4 > 0 {
			k = nil
		}
		replay(t, e, k, b.String(), func() int { return 1 })
		replay(t, e, k, b.String(), func() int { return 1 + r.IntN(40) })
	}
}

func FuzzRulesStream(f *testing.F) {
	for i, x := range ruledFragments {
		f.Add(x+" "+ruledFragments[(i*5+1)%len(ruledFragments)], uint64(i))
	}
	e := ruled(f, manyRules)
	f.Fuzz(func(t *testing.T, text string, seed uint64) {
		r := rand.New(rand.NewPCG(seed, 1))
		replay(t, e, nil, text, func() int { return 1 + r.IntN(30) })
	})
}

func FuzzRulesCompile(f *testing.F) {
	for _, p := range []string{`(a*)*b`, `(?i)ſ`, `\bx\B`, `[^x]`, `(?s).`, `\pL+`, `x{2,5}?`, `^a`, `(?m)$`} {
		f.Add(p, "a ſxs a. aaab")
	}
	f.Fuzz(func(t *testing.T, p, text string) {
		e, err := New(Options{FormsOnly: true, Rules: &Rules{Types: []Custom{{Name: "mine", Label: "secret/password", Patterns: []string{p}}}}})
		if err == nil && len(text) < 2000 {
			replay(t, e, nil, text, func() int { return 3 })
		}
	})
}

// TestPatternsTakeLinearTime: twice the text takes about twice the time, whatever the pattern and however hostile the text.
func TestPatternsTakeLinearTime(t *testing.T) {
	size := 2 << 10
	if raced { // it makes all of this slow alike
		size = 256
	}
	for pattern, unit := range map[string]string{
		`(a*)*b`:                     "a ",
		`(?:[a-z ]*)*!`:              "abc ",
		`(x+x+)+y`:                   strings.Repeat("x", 200) + " ",
		`([a-z]+ ?)+([0-9]+ ?)+end`:  "ab 12 ",
		`(?:.*?,){20}Z`:              "a,",
		`(?i)(?:k|s|ß|[^!])*(?:z|Z)`: "ſK ",
	} {
		e := ruled(t, Rules{Types: []Custom{{Name: "mine", Label: "organization", Patterns: []string{pattern}}}})
		find := func(n int) func() {
			text := strings.Repeat(unit, n/len(unit))
			return func() {
				if _, err := e.Find(ctx, text, nil); err != nil {
					t.Fatal(err)
				}
			}
		}
		small, large := time.Hour, time.Hour
		for range 5 { // what is fast enough once is
			short, start := find(size), time.Now()
			short()
			small, large = min(small, time.Since(start)), min(large, timed(t, find(8*size)))
			if large <= 40*small+20*time.Millisecond {
				break
			}
		}
		t.Logf("%-30s %8v for %d bytes, %8v for eight times as many", pattern, small, size, large)
		if large > 40*small+20*time.Millisecond { // eight times the text; machines are busy
			t.Errorf("%s: %v for eight times the text of %v", pattern, large, small)
		}
	}
}

func TestTypesAreFound(t *testing.T) {
	forms, full := engine(t), fullEngine(t)
	tax := flow.DefaultTaxonomy()
	names := map[string]bool{}
	for _, ty := range Types() {
		if names[ty.Name] || ty.Title == "" || ty.Gate == "" || !(ty.Score > 0) {
			t.Errorf("%s is listed twice or lacks a word", ty.Name)
		}
		names[ty.Name] = true
		for _, l := range ty.Labels {
			if _, ok := tax.Class(l); !ok && l != flow.Unlabelled {
				t.Errorf("%s has the label %s, which is no class", ty.Name, l)
			}
		}
	}
	for _, ty := range formTypes {
		if ty.Example == "" {
			continue
		}
		e := forms
		if slices.Contains(nameTypes[:], ty.Name) && ty.Name != Address {
			e = full
		}
		found, err := e.Find(ctx, "It is "+ty.Example, nil)
		if err != nil || len(found) != 1 || found[0].Type != ty.Name || !slices.Contains(ty.Labels, found[0].Label) {
			t.Errorf("%s: its example is found as %v, %v", ty.Name, found, err)
		}
	}
}

// BenchmarkRules has a handful of types over prose and over a text that begins one of them everywhere.
func BenchmarkRules(b *testing.B) {
	e := ruled(b, manyRules)
	for name, text := range map[string]string{
		"prose": strings.Repeat("The committee met on the third floor and agreed that nothing else had to be said about it. ", 100),
		"dense": strings.Repeat("We asked EMP-123456 about it, who sits at locker 123, and the committee agreed that nothing else had to be said. ", 100),
		"near":  strings.Repeat("project 1 EMP-1 q ", 500),
	} {
		b.Run(name, func(b *testing.B) {
			b.SetBytes(int64(len(text)))
			var found []Finding
			for b.Loop() {
				found, _ = e.AppendForms(ctx, found[:0], text, nil)
			}
		})
	}
}
