package detect

import (
	"fmt"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"
)

const prose = `The committee met again on the second floor to talk about the budget and the road that leads out of the valley. Nobody had read
the report in full, yet everybody knew what it said: the bridge is old, the river is wide and the money is short. After a long silence the
engineer stood up and explained how the work could be done in three stages, each of them small enough to stop after if the winter came early.
They listened, asked a few questions about the price of steel and about the people who live near the water, and then agreed to wait. `

// clean is a text of n bytes in which nothing is found.
func clean(n int) string { return strings.Repeat(prose, n/len(prose)+1)[:n] }

var samples = []string{"alice@example.org", "+1 (415) 555-0100", "4111 1111 1111 1111", "DE89 3704 0044 0532 0130 00", "123-45-6789", "192.168.10.1",
	"2001:db8::8a2e:370:7334", "2024-01-15T10:30:00Z", "12 March 2024", "https://example.com/a?b=1", "AKIAIOSFODNN7EXAMPLE", "MRN: 00123456"}

// dense is a text with n findings, one in about nine words.
func dense(n int) string { return mixed(n, 8) }

// mixed is a text with n findings and so many plain words before each.
func mixed(n, plain int) string {
	var b strings.Builder
	words := strings.Fields(prose)
	for i := range n {
		for j := range plain {
			b.WriteString(words[(i*plain+j)%len(words)])
			b.WriteByte(' ')
		}
		b.WriteString(samples[i%len(samples)])
		b.WriteByte(' ')
	}
	return b.String()
}

func fiftyNames(t testing.TB) *KnownSet {
	given := strings.Fields("Alice Brian Chloe David Elena Frank Grace Henry Irene James")
	family := strings.Fields("Abernathy Kowalczyk Rodriguez Svensson Takahashi")
	var vals []Known
	for i := range 50 {
		vals = append(vals, Known{given[i%10] + " " + family[i/10], "person/name"})
	}
	return knownSet(t, vals...)
}

func BenchmarkFind(b *testing.B) {
	e := engine(b)
	for _, set := range []struct {
		name  string
		known *KnownSet
	}{{"known=0", nil}, {"known=50", fiftyNames(b)}} {
		for _, c := range []struct{ name, text string }{
			{"clean1KB", clean(1024)}, {"clean100KB", clean(100 << 10)}, {"oneIn60Words", mixed(100, 59)}, {"dense100", dense(100)}, {"dense1000", dense(1000)}, {"dense10000", dense(10000)},
		} {
			b.Run(c.name+"/"+set.name, func(b *testing.B) {
				b.SetBytes(int64(len(c.text)))
				b.ReportAllocs()
				for b.Loop() {
					if _, err := e.Find(ctx, c.text, set.known); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}

// hostile texts make each rule look as far as it can without finding anything.
var hostile = map[string]string{
	"wide letters": "ａ．", "unseen": "1\u200b", "mixed scripts": "аa ", "look-alikes": "сора ", "middots": "4·", "other digits": "٤١", "accents": "e\u0301 ",
	"digits": "1 ", "groups": "12-34 ", "mail": "a.", "at": "a@", "colons": "a:", "hex": "ab:", "dots": "1.", "months": "March ", "day": "1 Marc", "cues": "mrn no id ",
	"iban": "DE89 ", "scheme": "a+", "paren": "(0", "plus": "+1 ", "dashes": "-----BEGIN ", "www": "www.", "url": "http://a ", "eyJ": "eyJ1.", "zero": "01 23 ",
	"known": "Alice ", "space": " ", "accent": "é ", "han": "漢", "high": "\xff", "slash": "1/2/", "key": "-----BEGIN PRIVATE KEY----- ",
	"street": "12 Old High ", "rue": "rue de la Paix ", "number": "12 12 ", "span": "3 years and ", "count": "Twenty two ", "case": "case no. 12 ",
	"places": "12 High Street, London ", "unit": "Apt. 3, ", "money": "$1,000 ", "thousands": "1 000 ", "weekday": "Monday, ", "capitals": "Abc Def ",
	"compass": "52.52° ", "year": "in 1998 to ", "list": "1/05, 2/06 and ", "box": "P.O. Box ", "lines": "Via Roma\n\n",
	"base64": "QWJjZGVmZ2hpamtsbW5vcA ", "base64 marks": "+/Ab", "base64 runs": "QWJjZGVmZ2hp-jkl_mno/pqr+stu.", "hex runs": "4a6f686e20446f65 ", "zero x": "0x0x",
	"percent": "%41", "percents": "a%20b%2Bc ", "entities": "&#65;", "ampersands": "a&b;", "entity runs": "&amp;&#x61;.",
	"secrets": "sk-a1", "prefixes": "ghp_xoxb-hvs.", "prefix words": "AKIA1 ghp_1 SG.1 ", "names of secrets": "password=", "values of secrets": "api_key: \"a1B2\" ", "bearers": "Bearer ",
	"parts of tokens": "eyJhbGciOiJIUzI1NiJ9.", "dashed": "-----BEGIN OPENSSH ", "base58": strings.Repeat("1A1zP1eP5QGefi2", 7) + " ", "base58 words": "1A1zP1eP5QGefi2DMPTfTL5SLmv7 ",
	"bech32": "bc1" + strings.Repeat("qpzry9x8", 8) + " ", "ethereum": "0x" + strings.Repeat("aB", 20) + " ",
	"addresses": "12 High Street, Apt. 3, Springfield, IL 6270 ", "halves of addresses": "Old Mill Road, ", "rooms": "12, 3B, ", "German addresses": "Am Alten Markt 5, 1011 ", "towns": "Postfach 12, D-1 ",
}

func BenchmarkHostile(b *testing.B) {
	e, known := engine(b), fiftyNames(b)
	for name, unit := range hostile {
		text := strings.Repeat(unit, 1<<16/len(unit))
		b.Run(name, func(b *testing.B) {
			b.SetBytes(int64(len(text)))
			for b.Loop() {
				if _, err := e.Find(ctx, text, known); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkStream(b *testing.B) {
	e, known, text := engine(b), fiftyNames(b), dense(100)
	for _, size := range []int{16, 256, 4096} {
		b.Run(fmt.Sprint(size), func(b *testing.B) {
			b.SetBytes(int64(len(text)))
			for b.Loop() {
				s := e.Stream(known)
				for i := 0; i < len(text); i += size {
					s.Write(text[i:min(i+size, len(text))])
				}
				s.Close()
			}
		})
	}
}

// timed is how long f takes: by the clock, or by the processors if these did less, since on a busy machine others run meanwhile.
func timed(t testing.TB, f func()) time.Duration {
	t.Helper()
	spent := func() time.Duration {
		var u syscall.Rusage
		if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
			t.Fatal(err)
		}
		return time.Duration(u.Utime.Nano() + u.Stime.Nano())
	}
	worked, start := spent(), time.Now()
	f()
	return min(time.Since(start), spent()-worked)
}

func TestTimeIsLinear(t *testing.T) {
	e, known := engine(t), fiftyNames(t)
	n, slack := 400, 15*time.Millisecond
	if os.Getenv("SCRIM_LONG") != "" {
		n, slack = 2_000, 50*time.Millisecond
	}
	find := func(text string) func() {
		return func() {
			if _, err := e.Find(ctx, text, known); err != nil {
				t.Fatal(err)
			}
		}
	}
	for name, unit := range hostile {
		text := strings.Repeat(unit, 32*n)
		small, large := time.Hour, time.Hour
		for range 5 { // what is fast enough once is
			start := time.Now()
			find(text[:n*len(unit)])()
			small, large = min(small, time.Since(start)), min(large, timed(t, find(text)))
			if large <= 32*6*small+slack { // quadratic would be 1,024 times
				break
			}
		}
		if large > 32*6*small+slack {
			t.Errorf("%s: 32 times the text took %v instead of %v", name, large, small)
		}
	}
}

func TestOneAllocationPerFinding(t *testing.T) {
	e, known := engine(t), fiftyNames(t)
	for _, n := range []int{0, 1, 10, 1000} {
		text := dense(n) + clean(1024)
		if got := testing.AllocsPerRun(10, func() { _, _ = e.Find(ctx, text, known) }); got > float64(n) && !raced {
			t.Errorf("%d findings took %v allocations", n, got)
		}
	}
	full, text := fullEngine(t), chatText(10<<10)
	found, err := full.Find(ctx, text, known)
	if err != nil {
		t.Fatal(err)
	}
	if got := testing.AllocsPerRun(10, func() { _, _ = full.Find(ctx, text, known) }); got > float64(len(found))/4 && !raced {
		t.Errorf("%d findings, names among them, took %v allocations", len(found), got)
	}
}
