package relation

import (
	"bytes"
	"encoding/binary"
	"math"
	"math/big"
	"math/rand/v2"
	"regexp"
	"strings"
	"testing"
	"time"
)

func TestRead(t *testing.T) {
	cents := Field{As: "c", Type: NumberType(2, -1000, 1000)}
	id := Field{As: "i", Type: NumberType(0, 0, 100), Exact: true}
	day := Field{As: "d", Type: DateType(0, 20000)}
	at := Field{As: "t", Type: TimeType(0, 1e15)}
	truth := Field{As: "b", Type: TruthType}
	words := Field{As: "w", Type: TextType}
	const null = math.MinInt64
	for _, c := range []struct {
		f    Field
		cell any
		want int64
	}{
		{cents, "1.239", 123}, {cents, "-1.231", -124}, {cents, " +1.2e1 ", 1000}, {cents, ".5", 50}, {cents, "5.", 500},
		{cents, "1e999999999999999999", 1000}, {cents, "-1e99", -1000}, {cents, "1e-99", 0}, {cents, "-1e-99", -1}, {cents, "0e99", 0},
		{cents, "", null}, {cents, ".", null}, {cents, "1 2", null}, {cents, "NaN", null}, {cents, "inf", null}, {cents, "0x10", null},
		{cents, "1e", null}, {cents, "--1", null}, {cents, "1,5", null}, {cents, "१", null}, {cents, true, null}, {cents, nil, null},
		{cents, 0.29, 29}, {cents, math.NaN(), null}, {cents, math.Inf(1), 1000}, {cents, math.Inf(-1), -1000}, {cents, int64(3), 300},
		{cents, []byte("2"), 200}, {cents, int64(math.MinInt64), -1000}, {cents, struct{}{}, null},
		{id, "100", 100}, {id, "101", null}, {id, "-1", null}, {id, "1.0", 1}, {id, "1.5", null}, {id, 1e300, null}, {id, math.Inf(1), null},
		{day, "1970-01-02", 1}, {day, "1969-12-31", 0}, {day, "2000-02-30", null}, {day, "1970-01-02T23:30:00-01:00", 2},
		{day, "1970-1-2", null}, {day, "0000-01-01", null}, {day, int64(5), null}, {day, time.Unix(86400*3+5, 0), 3},
		{Field{As: "e", Type: DateType(0, 20000), Exact: true}, "1969-12-31", null}, {Field{As: "e", Type: DateType(0, 20000), Exact: true}, "1970-01-02", 1},
		{at, "1970-01-01T00:00:01.5Z", 1_500_000}, {at, "1970-01-01 01:00:00+01", 0}, {at, "1970-01-01 00:01", 60_000_000},
		{at, "1970-01-01T24:00:00Z", null}, {at, "1970-01-01T00:00:60Z", null}, {at, "1970-01-01T00:00:00.1234567Z", 123456},
		{at, "1970-01-01T00:00:00 +0130", 0}, {at, "1970-01-01T02:00:00+0130", 1800_000_000}, {at, time.Unix(1, 999), 1_000_000},
		{at, time.Date(20000, 1, 1, 0, 0, 0, 0, time.UTC), null}, {at, "1970-01-01T00:00:00+", null},
		{truth, "TRUE", 1}, {truth, "f", 0}, {truth, int64(1), 1}, {truth, int64(2), null}, {truth, false, 0}, {truth, "yes", null},
	} {
		got := c.f.Read(c.cell)
		if got.Null != (c.want == null) || !got.Null && got.Int != c.want {
			t.Errorf("column %s: Read(%#v) = %+v, want %d", c.f.As, c.cell, got, c.want)
		}
	}
	for _, c := range []struct {
		cell any
		want string
	}{{"ü ", "ü "}, {int64(-3), "-3"}, {1.5, "1.5"}, {true, "true"}, {time.Unix(0, 0), "1970-01-01T00:00:00Z"}} {
		if got := words.Read(c.cell); got.Null || got.Text != c.want {
			t.Errorf("Read(%#v) = %+v, want %q", c.cell, got, c.want)
		}
	}
	if !words.Read("\xff").Null || !words.Read(nil).Null {
		t.Error("bytes that are no UTF-8 are no NULL")
	}
}

// TestParseNumberAgainstRationals compares with arithmetic that has no limits.
func TestParseNumberAgainstRationals(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))
	for range 20_000 {
		var b strings.Builder
		b.WriteString([]string{"", "-", "+"}[rng.IntN(3)])
		digits := func(n int) {
			for range n {
				b.WriteByte(byte('0' + rng.IntN(10)*rng.IntN(2)))
			}
		}
		digits(1 + rng.IntN(22))
		if rng.IntN(2) == 0 {
			b.WriteByte('.')
			digits(rng.IntN(22))
		}
		if rng.IntN(3) == 0 {
			b.WriteString([]string{"e", "E+", "e-"}[rng.IntN(3)])
			b.WriteByte(byte('0' + rng.IntN(10)))
			digits(rng.IntN(2))
		}
		places := rng.IntN(10)
		got, exact, ok := ParseNumber(b.String(), places)
		if !ok {
			t.Fatalf("ParseNumber(%q) is none", b.String())
		}
		want, wantExact := parseRational(t, b.String(), places)
		if got != want || exact != wantExact {
			t.Fatalf("ParseNumber(%q, %d) = %d, %v, want %d, %v", b.String(), places, got, exact, want, wantExact)
		}
	}
}

func parseRational(t *testing.T, s string, places int) (int64, bool) {
	r, ok := new(big.Rat).SetString(s)
	if !ok {
		t.Fatalf("%q is no rational", s)
	}
	r.Mul(r, new(big.Rat).SetInt64(pow10[places]))
	n := new(big.Int).Div(r.Num(), r.Denom()) // Euclid's division: rounds down
	v := Narrow(n, MinNumber, MaxNumber)
	return v, r.IsInt() && n.IsInt64() && v == n.Int64()
}

// TestCalendarAgainstTime compares with package time over the whole calendar.
func TestCalendarAgainstTime(t *testing.T) {
	rng := rand.New(rand.NewPCG(5, 6))
	check := func(v int64) {
		at := time.UnixMicro(v).UTC()
		for p, want := range map[DatePart]int{Year: at.Year(), Quarter: (int(at.Month()) + 2) / 3, Month: int(at.Month()), Day: at.Day(),
			DayOfWeek: (int(at.Weekday())+6)%7 + 1, Hour: at.Hour(), Minute: at.Minute()} {
			if got := part(p, Time, v); got != int64(want) {
				t.Fatalf("part %d of %v = %d, want %d", p, at, got, want)
			}
		}
		monday := at.AddDate(0, 0, -(int(at.Weekday())+6)%7)
		for p, want := range map[DatePart]time.Time{Year: time.Date(at.Year(), 1, 1, 0, 0, 0, 0, time.UTC),
			Quarter: time.Date(at.Year(), (at.Month()-1)/3*3+1, 1, 0, 0, 0, 0, time.UTC),
			Month:   time.Date(at.Year(), at.Month(), 1, 0, 0, 0, 0, time.UTC), Day: at.Truncate(24 * time.Hour),
			Week: time.Date(monday.Year(), monday.Month(), monday.Day(), 0, 0, 0, 0, time.UTC),
			Hour: at.Truncate(time.Hour), Minute: at.Truncate(time.Minute)} {
			if got := trunc(p, Time, v); got != want.UnixMicro() {
				t.Fatalf("beginning %d of %v = %v, want %v", p, at, time.UnixMicro(got).UTC(), want)
			}
			if p < Hour && trunc(p, Date, floorDiv(v, dayMicros)) != want.Unix()/86400 {
				t.Fatalf("beginning %d of the day of %v is not %v", p, at, want)
			}
		}
		if got, ok := ParseTime(at.Format("2006-01-02T15:04:05.999999Z07:00")); !ok || got != v {
			t.Fatalf("ParseTime(%v) = %d, %v, want %d", at, got, ok, v)
		}
	}
	check(MinTime)
	check(MaxTime)
	for range 20_000 {
		check(MinTime + rng.Int64N(MaxTime-MinTime+1))
	}
	for d := MinDate; d <= MaxDate; d += 13 {
		if y, m, dd := civil(d); days(y, m, dd) != d {
			t.Fatalf("day %d is %d-%d-%d is day %d", d, y, m, dd, days(y, m, dd))
		}
	}
}

// TestLikeAgainstRegexp compares with the pattern as a regular expression.
func TestLikeAgainstRegexp(t *testing.T) {
	rng := rand.New(rand.NewPCG(7, 8))
	some := func(from string, n int) string {
		rs := []rune(from)
		var b strings.Builder
		for range n {
			b.WriteRune(rs[rng.IntN(len(rs))])
		}
		return b.String()
	}
	x, matched := &Ref{"x", TextType}, 0
	for range 20_000 {
		pattern, s := some("aü%_!", rng.IntN(7)), some("aü%_!\n", rng.IntN(7))
		l, err := NewLike(x, pattern, '!')
		if err != nil {
			continue
		}
		re := "(?s)^"
		for rs := []rune(pattern); len(rs) > 0; rs = rs[1:] {
			switch {
			case rs[0] == '!':
				rs = rs[1:]
				re += regexp.QuoteMeta(string(rs[0]))
			case rs[0] == '%':
				re += ".*"
			case rs[0] == '_':
				re += "."
			default:
				re += regexp.QuoteMeta(string(rs[0]))
			}
		}
		want := regexp.MustCompile(re + "$").MatchString(s)
		if got := l.Match(s); got != want {
			t.Fatalf("%q LIKE %q = %v, want %v", s, pattern, got, want)
		}
		if want {
			matched++
		}
	}
	if matched < 1000 {
		t.Errorf("only %d matched", matched)
	}
}

// TestSipHash holds the vectors of appendix A of the paper and of its reference code: key 00…0f, messages 00 01 02 ….
func TestSipHash(t *testing.T) {
	var seed Seed
	for i := range seed {
		seed[i] = byte(i)
	}
	message := make([]byte, 15)
	for i := range message {
		message[i] = byte(i)
	}
	for n, want := range map[int]uint64{0: 0x726fdb47dd0e0e31, 8: 0x93f5f5799a932462, 15: 0xa129ca6149be45e5} {
		if got := seed.Hash(message[:n]); got != want {
			t.Errorf("SipHash of %d bytes = %016x, want %016x", n, got, want)
		}
	}
	var b []byte
	for _, w := range []uint64{1, 2, 3, 4} {
		b = binary.LittleEndian.AppendUint64(b, w)
	}
	if seed.RankGroup(1, 2) != seed.Hash(b[:16]) || seed.RankBin(1, 2, 3, 4) != seed.Hash(b) {
		t.Error("ranks are no hashes of their words")
	}
	if bytes.Equal(Encode(nil, Value{Kind: Text, Text: "a"}, Value{Kind: Text, Text: "b"}), Encode(nil, Value{Kind: Text, Text: "ab"}, Value{Kind: Text})) {
		t.Error("Encode() runs texts together")
	}
}

func FuzzParse(f *testing.F) {
	for _, s := range []string{"1.5e3", "-0", "1970-01-01T00:00:00.5+01:30", "e", "1e-400"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		ParseNumber(s, 9)
		if v, ok := ParseTime(s); ok && (v < MinTime || v > MaxTime) {
			t.Errorf("%q is beyond the calendar", s)
		}
		for _, k := range []Kind{Number, Text, Truth, Date, Time} {
			Field{Type: Widest(k, 0)}.Read(s)
		}
	})
}
