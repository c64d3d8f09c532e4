package column

import (
	"context"
	_ "embed"
	"hash/maphash"
	"math"
	"strings"
	"sync"

	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/privacy/detect"
	"github.com/scrimhq/scrim/privacy/detect/idnumber"
	"github.com/scrimhq/scrim/privacy/detect/tag"
)

//go:embed values.txt
var valuesText string

// list is a set of lists that a value may be in.
type list uint32

const (
	lGender list = 1 << iota
	lMarital
	lReligion
	lEthnicity
	lPolitics
	lSexuality
	lBlood
	lEducation
	lBoolean
	lLanguage
	lCountry
	lState
	lCurrency
	lDecision
	lStatus
	lCrime
	lBlank
	lHonorific
	lists = iota
)

var listNames = [lists]string{"gender", "marital", "religion", "ethnicity", "politics", "sexuality", "blood", "education", "boolean", "language",
	"country", "state", "currency", "decision", "status", "crime", "blank", "honorific"}

var shortLists = sync.OnceValue(func() map[string]list {
	out := map[string]list{}
	for line := range strings.Lines(valuesText) {
		name, all, ok := strings.Cut(strings.TrimSpace(line), ": ")
		if !ok || line[0] == '#' {
			continue
		}
		for i, n := range listNames {
			if n != name {
				continue
			}
			for v := range strings.SplitSeq(all, ";") {
				out[fold(strings.TrimSpace(v))] |= 1 << i
			}
		}
	}
	return out
})

// profile is what a sample of values looks like. It holds no value.
type profile struct {
	n        int            // values that say something
	blank    int            // others
	shapes   [shapes]int    // how many have each shape
	lists    [lists]int     // how many are in each short list
	single   int            // of one byte
	forms    map[form]int   // found by the engine as the whole of a value
	kinds    map[string]int // official numbers by kind
	kindOf   map[string]flow.Label
	control  map[string]int // values that still pass with a digit changed
	distinct int
	repeats  float64 // values for each different one
	length   float64 // mean, in bytes
	words    float64
	same     bool    // all have one length
	size     int     // which
	lo, hi   float64 // of numbers
	years    [2]int  // of dates, the first and the last but for one in fifty
	rising   bool    // whole numbers, each above the one before or nearly all
}

type form struct {
	what  string // the type, or the rule of a user's own type or list
	own   bool   // a user's own
	label flow.Label
}

// share is how many of the values have a shape, from 0 to 1.
func (p *profile) share(s shape) float64 { return p.part(p.shapes[s]) }

func (p *profile) list(l list) float64 {
	for i := range lists {
		if l == 1<<i {
			return p.part(p.lists[i])
		}
	}
	return 0
}

func (p *profile) part(n int) float64 {
	if p.n == 0 {
		return 0
	}
	return float64(n) / float64(p.n)
}

// form is the share of values that the engine takes for one of the label as a whole.
func (p *profile) form(l flow.Label) float64 {
	n := 0
	for f, k := range p.forms {
		if f.label == l {
			n += k
		}
	}
	return p.part(n)
}

// kind is the official number with the label that most values can be, one that has a check before one that has none, and how many.
func (p *profile) kind(l flow.Label) (name string, n int) {
	best := -1
	for k, m := range p.kinds {
		if p.kindOf[k] != l {
			continue
		}
		if score := 2*m - p.control[k]; score > best || score == best && k < name {
			name, n, best = k, m, score
		}
	}
	return name, n
}

// looker makes a profile, value by value.
type looker struct {
	*profile
	c                *Classifier
	tagger           *tag.Tagger
	seed             maphash.Seed
	seen             map[uint64]struct{}
	years            []int
	found            []detect.Finding
	total, said, ups int // bytes, words, and numbers above the one before
	last             float64
}

// look makes the profile of a sample, of at most [MaxValues] values taken evenly. A done ctx ends it early.
func (c *Classifier) look(ctx context.Context, col *Column) *profile {
	p := &profile{forms: map[form]int{}, kinds: map[string]int{}, kindOf: map[string]flow.Label{}, control: map[string]int{}, same: true, lo: math.Inf(1), hi: math.Inf(-1)}
	l := looker{profile: p, c: c, tagger: tag.Default(), seed: maphash.MakeSeed(), seen: map[uint64]struct{}{}, last: math.Inf(-1)}
	step := max(1, (len(col.Values)+MaxValues-1)/MaxValues)
	for i := 0; i < len(col.Values); i += step {
		if i/step%64 == 0 && ctx.Err() != nil {
			break
		}
		l.take(ctx, strings.TrimSpace(cut(strings.ToValidUTF8(cut(col.Values[i], MaxValue), "\uFFFD"), MaxValue)))
	}
	p.distinct = len(l.seen)
	if p.n > 0 {
		n := float64(p.n)
		p.repeats, p.length, p.words = n/float64(p.distinct), float64(l.total)/n, float64(l.said)/n
		p.rising = p.share(sInt) > .95 && l.ups >= p.n*98/100
		p.years = span(l.years)
	}
	return p
}

// take looks at one value.
func (l *looker) take(ctx context.Context, v string) {
	in := list(0)
	if len(v) <= 40 {
		in = shortLists()[fold(v)]
	}
	if v == "" || in&lBlank != 0 && in&^(lBlank|lReligion) == 0 {
		l.blank++
		return
	}
	l.n++
	for i := range lists {
		if in&(1<<i) != 0 {
			l.profile.lists[i]++
		}
	}
	if len(v) == 1 {
		l.single++
	}
	l.seen[maphash.String(l.seed, v)] = struct{}{}
	if l.n == 1 {
		l.size = len(v)
	}
	l.same = l.same && l.size == len(v)
	l.total += len(v)

	s := see(v, l.tagger)
	for _, shape := range s.shapes[:s.n] {
		l.shapes[shape]++
	}
	l.said += s.words
	if s.number {
		l.lo, l.hi = min(l.lo, s.value), max(l.hi, s.value)
		if s.value > l.last {
			l.ups++
		}
		l.last = s.value
	}
	if s.year > 0 {
		l.years = append(l.years, s.year)
	}
	if l.found = l.c.forms(ctx, l.found[:0], v); len(l.found) > 0 {
		l.whole(l.found, v)
	}
	l.official(v)
}

func (c *Classifier) forms(ctx context.Context, dst []detect.Finding, v string) []detect.Finding {
	found, err := c.engine.AppendForms(ctx, dst, v, nil)
	if err != nil {
		return dst
	}
	return found
}

// whole counts a finding that is all of a value, but for marks around it.
func (p *profile) whole(found []detect.Finding, v string) {
	f := &found[0]
	if len(found) == 1 && f.Start <= 1 && len(v)-f.End <= 1 {
		rule, own := strings.CutPrefix(f.By, "custom/")
		if !own {
			rule, own = strings.CutPrefix(f.By, "list/")
		}
		if !own {
			rule = f.Type
		}
		p.forms[form{rule, own, f.Label}]++
	}
}

// official counts the kinds of official numbers that a value can be.
func (p *profile) official(v string) {
	if len(v) > 2*idnumber.Longest || len(v) < idnumber.Shortest {
		return
	}
	var buf [idnumber.Longest]byte
	n := 0
	for i := range len(v) {
		b := v[i]
		switch {
		case 'a' <= b && b <= 'z':
			b -= 'a' - 'A'
		case '0' <= b && b <= '9', 'A' <= b && b <= 'Z':
		case b == ' ' || b == '-' || b == '.' || b == '/':
			continue
		default:
			return
		}
		if n == len(buf) {
			return
		}
		buf[n] = b
		n++
	}
	idnumber.Match(buf[:n], func(k *idnumber.Kind) bool {
		p.kinds[k.Name]++
		p.kindOf[k.Name] = k.Label
		return true
	})
	for i := n / 2; i < n; i++ {
		if buf[i]-'0' < 10 {
			buf[i] = '0' + (buf[i]-'0'+1)%10
			break
		}
	}
	idnumber.Match(buf[:n], func(k *idnumber.Kind) bool {
		p.control[k.Name]++
		return true
	})
}
