package stream

import (
	"bytes"
	"errors"
	"fmt"
	"math/big"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/scrimhq/scrim/privacy/deidentify/anonymity"
)

// codes is a hierarchy of five-digit codes below n, each level hiding one more digit: 00042, 0004*, 000**, *.
type codes struct{ *anonymity.Hierarchy }

func newCodes(n int) codes {
	levels := make([][]uint32, 4)
	for v := range uint32(n) {
		levels[0] = append(levels[0], v)
		levels[1] = append(levels[1], v/10)
		levels[2] = append(levels[2], v/100)
		levels[3] = append(levels[3], 0)
	}
	h, err := anonymity.NewHierarchy(levels)
	if err != nil {
		panic(err)
	}
	return codes{h}
}

func (c codes) Code(v Value) (uint32, bool) {
	n, err := strconv.Atoi(v.Text)
	return uint32(n), err == nil && !v.Null && len(v.Text) == 5 && 0 <= n && n < c.Codes(0)
}

func (c codes) Cell(level int, code uint32) Value {
	if level == 3 {
		return Value{Text: "*"}
	}
	return Value{Text: fmt.Sprintf("%0*d", 5-level, code) + strings.Repeat("*", level)}
}

// covers reads a published cell as a recipient does, by none of the code that wrote it.
func covers(cell Value, v Value) bool {
	if cell.Null || v.Null {
		return false
	}
	if inside, ok := strings.CutPrefix(cell.Text, "["); ok {
		from, to, _ := strings.Cut(strings.TrimSuffix(inside, "]"), ",")
		x, okX := new(big.Rat).SetString(v.Text)
		low, okLow := new(big.Rat).SetString(from)
		high, okHigh := new(big.Rat).SetString(to)
		return okX && okLow && okHigh && low.Cmp(x) <= 0 && x.Cmp(high) <= 0
	}
	if kept, ok := strings.CutSuffix(cell.Text, "*"); ok {
		return strings.HasPrefix(v.Text, strings.TrimRight(kept, "*"))
	}
	x, okX := new(big.Rat).SetString(v.Text)
	y, okY := new(big.Rat).SetString(cell.Text)
	return okX && okY && x.Cmp(y) == 0
}

// account checks everything that comes out of a castle against what went in.
type account struct {
	t       *testing.T
	o       CastleOptions
	pushed  []Record            // by Output.Record - 1
	came    []time.Time         // when each was pushed
	done    []Reason            // by record; 255: held
	classes map[uint64][]Output // what was published with each generalisation
	waiting []int               // records that are held, in the order they came
	behind  map[int]int         // how many were held after each of them
	sizes   map[uint64]int      // records of a class when it first appeared
	reused  int
}

const waits = Reason(255)

func newAccount(t *testing.T, o CastleOptions) *account {
	return &account{t: t, o: o, classes: map[uint64][]Output{}, behind: map[int]int{}, sizes: map[uint64]int{}}
}

func (a *account) took(r Record, now time.Time) {
	a.pushed, a.came, a.done = append(a.pushed, r), append(a.came, now), append(a.done, waits)
	a.waiting = append(a.waiting, len(a.pushed)-1)
}

// got checks the outputs of one call.
func (a *account) got(out []Output) {
	a.t.Helper()
	first := map[uint64]bool{}
	suppressed := false
	for _, o := range out {
		i := int(o.Record) - 1
		if i < 0 || i >= len(a.pushed) || a.done[i] != waits {
			a.t.Fatalf("record %d came out twice or was never pushed", o.Record)
		}
		a.done[i] = o.Why
		if o.Carry != a.pushed[i].Carry {
			a.t.Fatalf("record %d carries what another carried", o.Record)
		}
		if o.Why != Published {
			suppressed = true
			if o.Cells != nil || o.Class != 0 {
				a.t.Fatalf("record %d is suppressed and has cells or a class", o.Record)
			}
			continue
		}
		if suppressed {
			a.t.Fatal("a published record comes after a suppressed one and shows where it was")
		}
		for j, v := range a.pushed[i].Values {
			if !covers(o.Cells[j], v) {
				a.t.Fatalf("record %d: cell %q does not cover %q", o.Record, o.Cells[j].Text, v.Text)
			}
		}
		if class := a.classes[o.Class]; len(class) > 0 && !slices.Equal(class[0].Cells, o.Cells) {
			a.t.Fatalf("class %d has two generalisations", o.Class)
		}
		if len(a.classes[o.Class]) == 0 {
			first[o.Class] = true
		} else if !first[o.Class] {
			a.reused++
		}
		a.classes[o.Class] = append(a.classes[o.Class], o)
	}
	for id := range first {
		a.meets(id)
	}
	a.waiting = slices.DeleteFunc(a.waiting, func(i int) bool { return a.done[i] != waits })
}

// meets checks that a class is big enough from the moment it is seen.
func (a *account) meets(id uint64) {
	a.t.Helper()
	subjects, sensitive := map[string]bool{}, map[string]bool{}
	for _, o := range a.classes[id] {
		r := a.pushed[o.Record-1]
		subjects[string(r.Subject)] = true
		if len(r.Sensitive) > 0 {
			sensitive[string(r.Sensitive)] = true
		}
	}
	if len(subjects) < a.o.K || len(sensitive) < a.o.L && a.o.L > 1 {
		a.t.Fatalf("class %d has %d subjects and %d sensitive values, want %d and %d", id, len(subjects), len(sensitive), a.o.K, a.o.L)
	}
}

// delays checks that nothing is held longer than it may be.
func (a *account) delays(now time.Time, ticked bool) {
	a.t.Helper()
	if len(a.waiting) > a.o.Delay {
		a.t.Fatalf("%d records are held, want at most %d", len(a.waiting), a.o.Delay)
	}
	if len(a.waiting) == 0 {
		return
	}
	i := a.waiting[0] // those behind it came later
	later := 0        // uncovered ones are not held and do not count
	for j := i + 1; j < len(a.pushed); j++ {
		if a.done[j] != Uncovered {
			later++
		}
	}
	if later >= a.o.Delay {
		a.t.Fatalf("record %d is held though %d came after it", i+1, later)
	}
	if ticked && a.o.Within > 0 && now.Sub(a.came[i]) >= a.o.Within {
		a.t.Fatalf("record %d is held for %v", i+1, now.Sub(a.came[i]))
	}
}

func (a *account) sums(c *Castle) {
	a.t.Helper()
	s := c.Stats()
	var published, suppressed uint64
	for _, why := range a.done {
		switch why {
		case Published:
			published++
		case waits:
		default:
			suppressed++
		}
	}
	if s.Pushed != uint64(len(a.pushed)) || s.Published != published || s.Suppressed != suppressed || s.Held != len(a.waiting) ||
		published+suppressed+uint64(s.Held) != s.Pushed {
		a.t.Fatalf("stats are %+v; %d pushed, %d published, %d suppressed, %d held", s, len(a.pushed), published, suppressed, len(a.waiting))
	}
}

func people(seed uint64, subjects int) func(i int) Record {
	rng := rand.New(rand.NewPCG(seed, 99))
	return func(i int) Record {
		s := rng.IntN(subjects)
		if rng.IntN(3) == 0 {
			s = min(s, rng.IntN(subjects), rng.IntN(subjects)) // some come often
		}
		return Record{
			Subject:   []byte(strconv.Itoa(s)),
			Values:    texts(strconv.FormatFloat(float64(rng.IntN(1200))/10, 'f', -1, 64), fmt.Sprintf("%05d", min(rng.IntN(500), rng.IntN(500)))),
			Sensitive: []byte(strings.Repeat("d", rng.IntN(4))),
			Carry:     i,
		}
	}
}

func ageAndCode() []Attribute {
	return []Attribute{{Name: "age", Range: &Range{Least: "0", Most: "120", Step: "0.5"}}, {Name: "code", Hierarchy: newCodes(500), Weight: 2}}
}

func TestCastlePublishesOnlyWholeClassesInTime(t *testing.T) {
	var published, suppressed, reused, classes int
	for seed := range uint64(80) {
		rng := rand.New(rand.NewPCG(seed, 3))
		c := &clock{start}
		o := CastleOptions{K: 2 + rng.IntN(6), Attributes: ageAndCode(), Clusters: 1 + rng.IntN(20), Recent: rng.IntN(20), Now: c.now, SuppressUncovered: true}
		o.Delay = o.K + rng.IntN(60)
		if seed%2 == 0 {
			o.Reuse = 1 + rng.IntN(10)
		}
		if seed%3 == 0 {
			o.L = 2 + rng.IntN(2)
		}
		if seed%4 == 0 {
			o.Within = time.Duration(1 + rng.IntN(100))
		}
		castle, err := NewCastle(o)
		if err != nil {
			t.Fatal(err)
		}
		a, next := newAccount(t, o), people(seed, 3+rng.IntN(60))
		for i := range 500 {
			if rng.IntN(4) == 0 {
				c.t = c.t.Add(time.Duration(rng.IntN(20)))
			}
			now := c.t
			if rng.IntN(20) == 0 {
				c.t = c.t.Add(-time.Hour) // a clock that is set back stands still
			}
			r := next(i)
			if rng.IntN(40) == 0 {
				r.Values[rng.IntN(2)] = Value{Text: "nowhere"}
			}
			a.took(r, now)
			out, err := castle.Push(r)
			if err != nil {
				t.Fatalf("seed %d: %v", seed, err)
			}
			c.t = now
			a.got(out)
			if rng.IntN(5) == 0 {
				a.got(castle.Tick(c.t))
				a.delays(c.t, true)
			}
			a.delays(c.t, false)
			a.sums(castle)
		}
		a.got(castle.Flush())
		a.sums(castle)
		if len(a.waiting) != 0 {
			t.Fatalf("seed %d: %d records were lost at the end", seed, len(a.waiting))
		}
		s := castle.Stats()
		published, suppressed, classes, reused = published+int(s.Published), suppressed+int(s.Suppressed), classes+int(s.Classes), reused+a.reused
		if o.Reuse == 0 && a.reused > 0 {
			t.Fatalf("seed %d: a generalisation was used again", seed)
		}
	}
	t.Logf("%d published in %d classes, %d of them later than their class; %d suppressed", published, classes, reused, suppressed)
	if published < 20000 || suppressed < 1000 || reused < 300 {
		t.Error("the streams try too little")
	}
}

// Somebody who comes k times is still one subject.
func TestCastleDoesNotCountASubjectTwice(t *testing.T) {
	c, _ := NewCastle(CastleOptions{K: 3, Delay: 20, Attributes: ageAndCode(), Reuse: 5})
	for i := range 500 {
		out, err := c.Push(Record{Subject: []byte{byte(i % 2)}, Values: texts("30", "00001")})
		if err != nil {
			t.Fatal(err)
		}
		for _, o := range out {
			if o.Why != Expired {
				t.Fatalf("two subjects alone: record %d came out as %v", o.Record, o.Why)
			}
		}
	}
	for _, o := range c.Flush() {
		if o.Why != Expired {
			t.Fatalf("at shutdown record %d came out as %v", o.Record, o.Why)
		}
	}
}

func TestCastleWithoutSensitiveValuesMeetsNoL(t *testing.T) {
	c, _ := NewCastle(CastleOptions{K: 2, L: 2, Delay: 5, Attributes: ageAndCode()})
	for i := range 50 {
		sensitive := []byte("same")
		if i%2 == 0 {
			sensitive = nil
		}
		out, _ := c.Push(Record{Subject: []byte{byte(i)}, Values: texts("30", "00001"), Sensitive: sensitive})
		for _, o := range out {
			if o.Why == Published {
				t.Fatal("a class with one sensitive value, and some without any, was published")
			}
		}
	}
}

// A big cluster must not be cut where one side would lack sensitive values: its records would be suppressed for nothing.
func TestCastleCutsOnlyWhereBothSidesMeetL(t *testing.T) {
	c, _ := NewCastle(CastleOptions{K: 2, L: 2, Delay: 12, Clusters: 1, Attributes: []Attribute{{Name: "n", Range: &Range{Least: "0", Most: "100"}}}})
	var out []Output
	for i := range 12 {
		r := Record{Subject: []byte{byte(i)}, Values: texts(fmt.Sprint(i * 8)), Sensitive: []byte("left")}
		if i >= 6 && i%2 == 0 { // all variety lies on the right
			r.Sensitive = []byte("right")
		}
		o, err := c.Push(r)
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, o...)
	}
	out = append(out, c.Flush()...)
	for _, o := range out {
		if o.Why != Published {
			t.Errorf("record %d is suppressed: %v", o.Record, o.Why)
		}
	}
	if n := c.Stats().Classes; len(out) != 12 || n < 2 {
		t.Errorf("%d records came out in %d classes, want 12 in two or more", len(out), n)
	}
}

// The ends of a published range must be those of published records: the end of a suppressed one would tell its value.
func TestCastleRangesDoNotTellSuppressedValues(t *testing.T) {
	checked := 0
	for seed := range uint64(30) {
		o := CastleOptions{K: 3, Delay: 12, Clusters: 3, Attributes: []Attribute{{Name: "age", Range: &Range{Least: "0", Most: "10000"}}}}
		c, _ := NewCastle(o)
		a, rng := newAccount(t, o), rand.New(rand.NewPCG(seed, 4))
		for i := range 400 {
			r := Record{Subject: []byte{byte(rng.IntN(25))}, Values: texts(fmt.Sprint(min(rng.IntN(10001), rng.IntN(10001)))), Carry: i}
			a.took(r, start)
			out, _ := c.Push(r)
			a.got(out)
		}
		a.got(c.Flush())
		for id, class := range a.classes {
			ends := strings.FieldsFunc(class[0].Cells[0].Text, func(r rune) bool { return strings.ContainsRune("[,]", r) })
			for _, end := range ends {
				if !slices.ContainsFunc(class, func(o Output) bool { return a.pushed[o.Record-1].Values[0].Text == end }) {
					t.Fatalf("seed %d: class %d ends at a value that none of its records has", seed, id)
				}
				checked++
			}
		}
	}
	if checked < 500 {
		t.Fatalf("only %d ends were checked", checked)
	}
}

// What a recipient sees of a call must not tell in which order the records came.
func TestCastleShufflesWhatItPublishes(t *testing.T) {
	const rounds, k = 3000, 4
	firsts := [k]int{}
	c, _ := NewCastle(CastleOptions{K: k, Delay: k, Attributes: ageAndCode()})
	for r := range rounds {
		var out []Output
		for i := range k + 1 {
			o, err := c.Push(Record{Subject: fmt.Append(nil, r, i), Values: texts("30", "00001"), Carry: i})
			if err != nil {
				t.Fatal(err)
			}
			out = append(out, o...)
		}
		if len(out) == 0 {
			t.Fatal("nothing was published")
		}
		least := out[0].Record
		for _, o := range out {
			least = min(least, o.Record)
		}
		firsts[min(int(out[0].Record-least), k-1)]++
	}
	// A share of 1/5 of 3000 has a standard deviation of 22: five of them are exceeded in less than one run of a million.
	if firsts[0] > rounds/5+220 || firsts[0] < rounds/5-220 {
		t.Errorf("the record that came first was published first %d times of %d", firsts[0], rounds)
	}
}

// Sybils are not defended against: whoever can push under k-1 invented subjects gets the victim's record in a class where all others
// are known. The test holds what the documentation says, and that k-2 of them do not suffice.
func TestSybilsFillAClass(t *testing.T) {
	const k = 5
	for _, sybils := range []int{k - 1, k - 2} {
		c, _ := NewCastle(CastleOptions{K: k, Delay: 50, Attributes: ageAndCode()})
		c.Push(Record{Subject: []byte("victim"), Values: texts("44", "00123"), Carry: "victim"})
		for i := range sybils * 20 {
			c.Push(Record{Subject: fmt.Append(nil, "sybil", i%sybils), Values: texts("44", "00123")})
		}
		z, _ := NewZ(ZOptions{Z: k, Window: time.Hour, Attributes: []string{"age", "code"}})
		for i := range sybils {
			z.Push(Record{Subject: fmt.Append(nil, "sybil", i), Values: texts("44", "00123")})
		}
		fromZ, _ := z.Push(Record{Subject: []byte("victim"), Values: texts("44", "00123")})
		want := sybils == k-1
		if got := c.Stats().Published > 0; got != want {
			t.Errorf("%d sybils: a class was published = %v, want %v", sybils, got, want)
		}
		if got := fromZ[0].Why == Published; got != want {
			t.Errorf("%d sybils: z-anonymity passed the victim's record = %v, want %v", sybils, got, want)
		}
	}
}

func TestCastleReuseStaysInsideTheClass(t *testing.T) {
	c, _ := NewCastle(CastleOptions{K: 2, Delay: 2, Reuse: 3, Attributes: []Attribute{{Name: "n", Range: &Range{Least: "0", Most: "100"}}}})
	push := func(subject, n string) []Output {
		out, err := c.Push(Record{Subject: []byte(subject), Values: texts(n), Carry: n})
		if err != nil {
			t.Fatal(err)
		}
		return out
	}
	push("a", "10")
	push("b", "20")
	push("c", "20")
	out := push("a", "90") // a, b and c are out by now, as [10,20]
	for range 3 {
		out = append(out, push("a", "15")...)
		out = append(out, push("a", "95")...)
	}
	inside := 0
	for _, o := range out {
		switch n := o.Carry.(string); {
		case o.Why == Published && n == "15":
			inside++
			if !covers(o.Cells[0], Value{Text: "15"}) {
				t.Errorf("15 came out as %q", o.Cells[0].Text)
			}
		case o.Why == Published && (n == "90" || n == "95"):
			t.Errorf("%s came out as %q", n, o.Cells[0].Text)
		}
	}
	if inside == 0 {
		t.Error("no generalisation was used again")
	}
}

func TestCastleErrorsNameThePlaceAndHoldNoValue(t *testing.T) {
	c, _ := NewCastle(CastleOptions{K: 2, Delay: 5, Attributes: ageAndCode()})
	c.Push(Record{Subject: []byte("x"), Values: texts("1", "00001")})
	for name, r := range map[string]Record{
		"code": {Subject: []byte("s-77"), Values: texts("30", "secret")}, "age": {Subject: []byte("s-77"), Values: texts("secret", "00001")},
	} {
		out, err := c.Push(r)
		if !errors.Is(err, ErrUncovered) || out != nil || !strings.Contains(err.Error(), strconv.Quote(name)) ||
			strings.Contains(err.Error(), "secret") || strings.Contains(err.Error(), "s-77") {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := c.Push(Record{Subject: []byte("x"), Values: []Value{{Null: true}, {Text: "00001"}}}); !errors.Is(err, ErrUncovered) {
		t.Errorf("a null in a range: %v", err)
	}
	if _, err := c.Push(Record{Values: texts("30", "00001")}); !errors.Is(err, ErrRecord) || !strings.Contains(err.Error(), "record 5:") {
		t.Errorf("no subject: %v", err)
	}
	if s := c.Stats(); s.Pushed != 1 || s.Refused != 4 || s.Held != 1 {
		t.Errorf("stats are %+v", s)
	}
	if out := c.Flush(); len(out) != 1 || out[0].Why != Expired {
		t.Errorf("Flush() = %v", out)
	}
	if _, err := c.Push(Record{Subject: []byte("x"), Values: texts("1", "00001")}); !errors.Is(err, ErrClosed) {
		t.Errorf("after Flush: %v", err)
	}
	if out := c.Tick(time.Now()); out != nil {
		t.Errorf("after Flush Tick() = %v", out)
	}
}

func TestCastleRefuses(t *testing.T) {
	for name, change := range map[string]func(*CastleOptions){
		"k 1": func(o *CastleOptions) { o.K = 1 }, "delay below k": func(o *CastleOptions) { o.Delay = 2 }, "l": func(o *CastleOptions) { o.L = -1 },
		"l beyond delay": func(o *CastleOptions) { o.L = 11 }, "within": func(o *CastleOptions) { o.Within = -1 }, "reuse": func(o *CastleOptions) { o.Reuse = -1 },
		"no attribute": func(o *CastleOptions) { o.Attributes = nil },
		"neither":      func(o *CastleOptions) { o.Attributes[0].Range = nil },
		"both":         func(o *CastleOptions) { o.Attributes[0].Hierarchy = newCodes(10) },
		"weight":       func(o *CastleOptions) { o.Attributes[0].Weight = -1 },
		"no number":    func(o *CastleOptions) { o.Attributes[0].Range = &Range{Least: "a", Most: "2"} },
		"empty range":  func(o *CastleOptions) { o.Attributes[0].Range = &Range{Least: "2", Most: "2"} },
		"half a step":  func(o *CastleOptions) { o.Attributes[0].Range = &Range{Least: "0", Most: "5", Step: "2"} },
		"decimals":     func(o *CastleOptions) { o.Attributes[0].Range = &Range{Least: "0", Most: "1", Step: "0.0000000001"} },
	} {
		o := CastleOptions{K: 3, Delay: 10, Attributes: ageAndCode()}
		change(&o)
		if c, err := NewCastle(o); !errors.Is(err, ErrOptions) || c != nil {
			t.Errorf("%s: NewCastle() = %v, want ErrOptions", name, err)
		}
	}
}

// A hierarchy whose levels are no functions of each other must cost records, not publish them beside what they are not.
type crooked struct{ codes }

func (c crooked) At(level int, value uint32) uint32 {
	if level == 2 {
		return value % 5
	}
	return c.codes.At(level, value)
}

func TestCastleCrookedHierarchyPublishesNothingWrong(t *testing.T) {
	o := CastleOptions{K: 2, Delay: 6, Clusters: 2, Attributes: []Attribute{{Name: "code", Hierarchy: crooked{newCodes(500)}}}}
	c, err := NewCastle(o)
	if err != nil {
		t.Fatal(err)
	}
	rng := rand.New(rand.NewPCG(1, 1))
	for i := range 2000 {
		out, _ := c.Push(Record{Subject: []byte{byte(rng.IntN(20))}, Values: texts(fmt.Sprintf("%05d", rng.IntN(500))), Carry: i})
		classes := map[uint64]int{}
		for _, o := range out {
			classes[o.Class]++
		}
		for class, n := range classes {
			if class > 0 && n < 2 {
				t.Fatal("a class of one was published")
			}
		}
	}
}

func TestDecimalsAreReadExactly(t *testing.T) {
	rng := rand.New(rand.NewPCG(5, 5))
	for range 20000 {
		text := strconv.Itoa(rng.IntN(2000) - 1000)
		if rng.IntN(2) == 0 {
			text += "." + fmt.Sprintf("%0*d", 1+rng.IntN(6), rng.IntN(10))
		}
		if rng.IntN(4) == 0 {
			text += fmt.Sprintf("e%+d", rng.IntN(12)-6)
		}
		decimals := rng.IntN(4)
		want, ok := new(big.Rat).SetString(text)
		units, exact, fits := decimal(text, decimals)
		if !ok || !fits {
			t.Fatalf("decimal(%q) does not fit", text)
		}
		want.Mul(want, new(big.Rat).SetInt(new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(decimals)), nil)))
		low := new(big.Rat).SetInt64(units)
		high := new(big.Rat).SetInt64(units + 1)
		if exact && low.Cmp(want) != 0 || !exact && !(low.Cmp(want) < 0 && want.Cmp(high) < 0) {
			t.Fatalf("decimal(%q, %d) = %d, %v", text, decimals, units, exact)
		}
	}
	for _, text := range []string{"", "-", "+1", ".5", "5.", "1e", "e1", "1e1e1", "0x10", "NaN", "Inf", "1_0", " 1", "1 ", "1e99999", "1e30", strings.Repeat("1", 20), "--1", "1.2.3"} {
		if _, _, ok := decimal(text, 2); ok {
			t.Errorf("decimal(%q) is taken for a number", text)
		}
	}
	if got := appendDecimal(nil, -5, 2); !bytes.Equal(got, []byte("-0.05")) {
		t.Errorf("-5 hundredths are %s", got)
	}
}

// FuzzPushes reads a stream from bytes and checks both techniques on it.
func FuzzPushes(f *testing.F) {
	f.Add([]byte("\x02\x05\x01abcdefghijklmnopqrstuvwxyz0123456789abcdefghijklmnopqrstuvwxyz"))
	f.Add(bytes.Repeat([]byte{3, 9, 2, 200, 17, 80}, 40))
	f.Add(append([]byte{0, 0, 0}, bytes.Repeat([]byte{1, 2, 3, 4}, 60)...))
	f.Fuzz(func(t *testing.T, data []byte) {
		if len(data) < 3 || len(data) > 2000 {
			return
		}
		c := &clock{start}
		o := CastleOptions{K: 2 + int(data[0]%4), Attributes: ageAndCode(), Clusters: 1 + int(data[1]%5), Reuse: int(data[2] % 3), L: int(data[2]/3) % 3, Now: c.now, SuppressUncovered: true}
		o.Delay, o.Within = o.K+int(data[1]/5)%20, time.Duration(data[2]/16)
		castle, err := NewCastle(o)
		if err != nil {
			t.Fatal(err)
		}
		z, _ := NewZ(ZOptions{Z: o.K, Window: 20, Attributes: []string{"age", "code"}, Now: c.now})
		d, a := definition{z: o.K, window: 20}, newAccount(t, o)
		for data = data[3:]; len(data) >= 4; data = data[4:] {
			c.t = c.t.Add(time.Duration(data[3] % 8))
			r := Record{Time: c.t, Subject: []byte{data[0] % 16}, Values: texts(strconv.Itoa(int(data[1]%128)), fmt.Sprintf("%05d", 2*int(data[2]))), Sensitive: data[3:4]}
			if data[3] == 255 {
				r.Values[0].Text = string(data)
			}
			a.took(r, c.t)
			out, err := castle.Push(r)
			if err != nil {
				t.Fatal(err)
			}
			a.got(out)
			a.got(castle.Tick(c.t))
			a.delays(c.t, true)
			d.seen = append(d.seen, r)
			fromZ, err := z.Push(r)
			if err != nil || (fromZ[0].Why == Published) != d.passes(r, []int{0, 1}) {
				t.Fatalf("z-anonymity: %v, %v", fromZ, err)
			}
		}
		a.got(castle.Flush())
		a.sums(castle)
	})
}
