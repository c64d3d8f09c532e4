package detect

import (
	"math/rand/v2"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"unicode/utf8"
)

// nextByTrying is [scanner.next] without its short cuts: every word and every mark is tried with everything, whatever the
// filter says and whatever was remembered of the place before.
func (c *scanner) nextByTrying(p int) (verdict, int) {
	try := func(q, we int, acc class) verdict {
		c.starts, c.noMail, c.cueAt = true, 0, 0
		return c.try(q, we, acc, true)
	}
	for p < len(c.s) {
		if b := c.s[p]; classes[b]&cRun == 0 {
			c.end = p + 1
			if v := try(p, p+1, 0); v == skip {
				p = c.f.End
				continue
			} else if v != done {
				return v, p
			}
			p++
			continue
		}
		c.open(p)
		e, acc := c.measure(p)
		if v, bad := c.stuck(p); bad {
			c.sw = swallower{mode: swallowRun, rule: &byLength}
			return v, p
		}
		if e == p {
			_, n := c.rune(p)
			c.end = p + n
			if v := try(p, p+n, cHigh); v == skip {
				p = c.f.End
				continue
			} else if v != done {
				return v, p
			}
			p += n
			continue
		}
		c.end = e
		v := done
		for q := p; q < e && v == done; {
			we := q + 1
			for classes[c.s[q]]&cWord != 0 && we < e && classes[c.s[we]]&cWord != 0 {
				we++
			}
			v = try(q, we, acc)
			q = we
		}
		if v == skip {
			p = c.f.End
			continue
		} else if v != done {
			return v, c.place
		}
		p = e
	}
	return done, len(c.s)
}

// findByTrying is what [Engine.AppendForms] finds if no short cut is taken.
func findByTrying(e *Engine, text string, known *KnownSet) (out []Finding) {
	c := e.scanner(known)
	c.s, c.final = text, true
	for p := 0; ; {
		switch v, begin := c.nextByTrying(p); v {
		case found:
			out = append(out, c.f)
			p = c.f.End
		case long:
			p, _ = c.sw.advance(&c, begin)
			out = append(out, c.sw.rule.finding(begin, p))
		default:
			return out
		}
	}
}

func checkShortCuts(t testing.TB, e *Engine, known *KnownSet, text string) {
	t.Helper()
	got, err := e.AppendForms(ctx, nil, text, known)
	if err != nil {
		t.Fatal(err)
	}
	if want := findByTrying(e, text, known); !reflect.DeepEqual(got, want) {
		t.Fatalf("found\n%s\nbut by trying everywhere\n%s\nin %q", show(text, got), show(text, want), text)
	}
}

// words of the lexicon, some of which begin a form; the rest of a text is made of the fragments.
func wordyText(next pick) string {
	words := lexiconWords()
	var b strings.Builder
	for range 1 + next(30) {
		switch w := words[next(len(words))]; next(6) {
		case 0:
			r, n := utf8.DecodeRuneInString(w)
			b.WriteString(strings.ToUpper(string(r)) + w[n:])
		case 1:
			b.WriteString(fragments[next(len(fragments))])
		case 2:
			b.WriteString(strings.Fields(prose)[next(40)])
		default:
			b.WriteString(w)
		}
		b.WriteString(glue[next(len(glue))])
		if next(4) == 0 {
			b.WriteString([]string{"1", "12 ", "2003", "63 years ", "5a ", "D", "da", "Abc "}[next(8)])
		}
	}
	return b.String()
}

var lexiconList []string

// lexiconWords lists the lexicon in the same order each time.
func lexiconWords() []string {
	if lexiconList == nil {
		for _, l := range [][]entry{timeWords, ageWords, moneyWords, streetWords, placeWords} {
			for _, e := range l {
				lexiconList = append(lexiconList, strings.Fields(strings.ReplaceAll(e.words, "_", " "))...)
			}
		}
	}
	return lexiconList
}

func TestShortCutsChangeNothing(t *testing.T) {
	e, known, named := engine(t), someKnown(t), fiftyNames(t)
	sets := []*KnownSet{nil, known, named}
	for seed := range rounds(5000, 100_000) {
		r := rand.New(rand.NewPCG(seed, 19))
		checkShortCuts(t, e, sets[seed%3], randomText(r.IntN))
		checkShortCuts(t, e, sets[seed%3], wordyText(r.IntN))
	}
	for name, unit := range hostile {
		t.Run(name, func(t *testing.T) { checkShortCuts(t, e, known, strings.Repeat(unit, 300)) })
	}
	checkShortCuts(t, e, nil, dense(300))
	checkShortCuts(t, e, nil, mixed(50, 59))
}

// TestShortCutsChangeNothingInProse reads what text there is: pages of the project, and the corpora if they are at hand.
func TestShortCutsChangeNothingInProse(t *testing.T) {
	e, known := engine(t), fiftyNames(t)
	files, err := filepath.Glob("../../docs/*/*.md")
	if err != nil || len(files) < 10 {
		t.Fatalf("%d pages, %v", len(files), err)
	}
	limit := 60 << 10
	if os.Getenv("SCRIM_LONG") != "" {
		limit = 4 << 20
		if dir := os.Getenv("SCRIM_DATA"); dir != "" {
			more, err := filepath.Glob(filepath.Join(dir, "text/*/*"))
			if err != nil || len(more) == 0 {
				t.Fatalf("no corpora in %s: %v", dir, err)
			}
			files = append(files, more...)
		}
	}
	for _, name := range files {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		for _, k := range []*KnownSet{nil, known} {
			checkShortCuts(t, e, k, string(text[:min(len(text), limit)]))
		}
	}
}

func FuzzShortCuts(f *testing.F) {
	for i, x := range fragments {
		f.Add("Old "+x+" Road "+fragments[(i*5+1)%len(fragments)]+" of 2003", i%2 == 0)
	}
	e, known := engine(f), someKnown(f)
	f.Fuzz(func(t *testing.T, text string, with bool) {
		k := known
		if !with {
			k = nil
		}
		checkShortCuts(t, e, k, text)
	})
}
