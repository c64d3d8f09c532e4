package detect

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"reflect"
	"strings"
	"sync"
	"testing"

	"github.com/scrimhq/scrim/flow"
)

var ctx = context.Background()

// engine finds forms and known values alone.
func engine(t testing.TB) *Engine {
	t.Helper()
	e, err := New(Options{FormsOnly: true})
	if err != nil {
		t.Fatal(err)
	}
	return e
}

// fullEngine finds names, too.
func fullEngine(t testing.TB) *Engine {
	t.Helper()
	e, err := New(Options{})
	if err != nil {
		t.Fatal(err)
	}
	return e
}

func knownSet(t testing.TB, vals ...Known) *KnownSet {
	t.Helper()
	k, err := NewKnownSet(vals)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func someKnown(t testing.TB) *KnownSet {
	return knownSet(t, Known{"Alice Marie Johnson", "person/name"}, Known{"José Núñez", "person/name"}, Known{"田中太郎", "person/name"},
		Known{"Mary-Ann O'Brien", "person/name"}, Known{"Tom Young", "person/name"}, Known{"+1 415 555 0199", "person/contact/phone"},
		Known{"Project Bluebird (phase 2)", "business/confidential"}, Known{"alice@example.org", "person/contact/email"}, Known{"@al_jo", "person/contact/handle"})
}

var fragments = []string{
	"alice@example.org", "bob.o'neil+x@mail.example.co.uk", "josé@exämple.de", "+1 (415) 555-0100", "415-555-0100 ext. 12", "(020) 7946 0958",
	"0171 1234567", "call me at 4155550100", "4111 1111 1111 1111", "4111-1111-1111-1111", "378282246310005", "DE89 3704 0044 0532 0130 00",
	"GB82WEST12345698765432", "123-45-6789", "ssn 123456789", "192.168.10.1", "2001:db8::8a2e:370:7334", "00:1A:2B:3C:4D:5E", "2024-01-15T10:30:00Z",
	"2024-01-15 10:30", "12/31/2024", "12 March 2024", "March 12th, 2024", "May 5", "born on 3 Apr 1980", "https://example.com/a?b=c@d.com",
	"https://u:p@h.example/x,", "www.example.com).", "AKIAIOSFODNN7EXAMPLE", "ghp_" + strings.Repeat("a1B2", 9), "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.abc-_1",
	"MRN: 00123456", "member id A12-34567", "claim number CLM20240099", "-----BEGIN RSA PRIVATE KEY-----\nMIIEpAIBAAKCAQEA7bq\n-----END RSA PRIVATE KEY-----",
	"-----BEGIN PRIVATE KEY-----", "-----BEGIN ", "-----END", "-----", "Alice Marie Johnson", "alice\nmarie   JOHNSON", "Johnson", "Young", "young", "José Núñez", "Nunez",
	"田中太郎", "田中 太郎", "これは長い文章です。", "O'Brien", "mary-ann o'brien", "Project Bluebird (phase 2)", "@al_jo", "550e8400-e29b-41d4-a716-446655440000",
	"v1.2.3.4", "$1,234.56", "order 4155550100", strings.Repeat("x", 250), strings.Repeat("ab1", 90), strings.Repeat("é", 140), strings.Repeat("漢", 100),
	"ssn " + strings.Repeat("identifier ", 5) + "numbers 123456789", "claim" + strings.Repeat(" ", 62) + "88412", "MRN" + strings.Repeat(" ", 55) + "no. 88412",
	"http://long.example/" + strings.Repeat("q,", 200), strings.Repeat("12 34 ", 40), strings.Repeat("a.", 60), strings.Repeat("1-", 50), "\xff\xfe", "\xe2\x82",
	"\u00a0", "４１１１", "4\u200b1", "the quick brown fox", "jumps", "over", "it's", "e.g.", "10:30", "3.14", "42", "+", "(", ":", "::", "-", "@", "/", "=", ".", ",", "'", "\"", "#",
	"12 High Street, Springfield, IL 62704", "Lindenstraße 5a\n10115 Berlin", "5, rue de la Paix", "Calle Mayor 12, 3º B", "ul. Polna 3/5", "P.O. Box 12",
	"PSC 123, Box 45\nAPO AE 09123", "Karl Johans gate 22", "3 to 4 May 1998", "Mon, 12 Mar 2024", "Monday", "summer of 2003", "Q3 2024", "in 1998", "(1955)",
	"the 1990s", "aged 42", "42-year-old", "42-jährige", "twenty-two years old", "three years and two months", "two weeks", "$1,234.56 million", "EUR 1.234,50",
	"5 €", "US$ 5m", "52°31'12\"N 13°24'18\"E", "lat 52.520008, lon 13.404954", "geo:52.52,13.40", "application no. 36244/06", "Az. 2 U 123/05", "plate B MA 1234",
	"SW1A 1AA", "K1A 0B1", "zip code 94105", "00-950 Warszawa", "10:30 pm", "kl. 14.30", "Apt. 4", "Suite 200,", "Unit", "rue", "aged", "two", "Two", "£", "€", "$",
	"March", "Jan", "st", "of", "www", "https", "http://", "DE", "sk-", "eyJ", "id", "number", "ssn", "\\n", "😀", "ß", "İ", "ﬁ", "\x00", "Z", "T10", "%20",
	"Dr Anna Kowalska", "lives in", "Ankara", "for Siemens AG", "Kowalska", "a Turkish nurse", "Mr", strings.Repeat(" ", 40), strings.Repeat("Maria ", 40), "            x",
}

var glue = []string{" ", " ", " ", " ", "", "", "\n", "  ", ", ", ". ", ":", "-", "/", "=", "\t", "、"}

// pick is what randomText draws from: a generator, or the bytes of a fuzzer.
type pick func(n int) int

func randomText(next pick) string {
	var b strings.Builder
	for range 1 + next(14) {
		if next(6) == 0 {
			f := fragments[next(len(fragments))]
			b.WriteString(f[:next(len(f)+1)]) // may cut a rune
		} else {
			b.WriteString(fragments[next(len(fragments))])
		}
		b.WriteString(glue[next(len(glue))])
	}
	return b.String()
}

// replay streams the text in chunks of sizes that next gives, and checks every promise about pieces.
func replay(t testing.TB, e *Engine, known *KnownSet, text string, next func() int) {
	t.Helper()
	want, err := e.find(ctx, text, known, true)
	if err != nil {
		t.Fatal(err)
	}
	s := e.Stream(known)
	var got []Finding
	at := 0
	take := func(pieces []Piece) {
		for _, p := range pieces {
			if p.Finding != nil {
				f := *p.Finding
				if f.Start != at {
					t.Fatalf("finding %+v begins elsewhere than at %d in %q", f, at, text)
				}
				got = append(got, f)
				if p.Long {
					if p.Text != "" {
						t.Fatalf("a long piece kept its text")
					}
					at = f.End
					continue
				}
				if at+len(p.Text) != f.End {
					t.Fatalf("finding %+v has %d bytes of text in %q", f, len(p.Text), text)
				}
			}
			if !strings.HasPrefix(text[at:], p.Text) || p.Text == "" {
				t.Fatalf("piece %q at %d of %q", p.Text, at, text)
			}
			at += len(p.Text)
		}
		if s.Held() >= MaxHeld || s.names == nil && s.Held() >= Holdback {
			t.Fatalf("Held() = %d, want below %d, in %q", s.Held(), MaxHeld, text)
		}
	}
	for rest := text; rest != ""; {
		n := min(max(next(), 1), len(rest))
		take(s.Write(rest[:n]))
		rest = rest[n:]
	}
	take(s.Close())
	if at != len(text) || s.Held() != 0 {
		t.Fatalf("%d of %d bytes came out, %d are held, of %q", at, len(text), s.Held(), text)
	}
	if !reflect.DeepEqual(got, want) {
		t.Fatalf("stream found\n%s\nFind found\n%s\nin %q", show(text, got), show(text, want), text)
	}
}

func show(text string, fs []Finding) string {
	var b strings.Builder
	for _, f := range fs {
		fmt.Fprintf(&b, "  %d-%d %s %s %s %q\n", f.Start, f.End, f.Type, f.Label, f.By, text[f.Start:f.End])
	}
	return b.String()
}

// rounds is how often a test with random texts goes: so often, or, if there is time for it, more often. The race detector
// makes each round slow and learns nothing from the next one: such a test has one goroutine.
func rounds(often, long uint64) uint64 {
	if raced {
		return often / 10
	}
	if os.Getenv("SCRIM_LONG") != "" {
		return long
	}
	return often
}

func TestStreamEqualsFind(t *testing.T) {
	forms, full, known := engine(t), fullEngine(t), someKnown(t)
	for seed := range rounds(3000, 40_000) {
		r := rand.New(rand.NewPCG(seed, 7))
		e := forms
		if seed%2 == 0 {
			e = full
		}
		text := randomText(r.IntN)
		k := known
		if seed%8 < 2 {
			k = nil
		}
		replay(t, e, k, text, func() int { return 1 })
		size := 1 + r.IntN(40)
		replay(t, e, k, text, func() int { return 1 + r.IntN(size) })
		replay(t, e, k, text, func() int { return 1 + r.IntN(700) })
	}
}

func FuzzStreamEqualsFind(f *testing.F) {
	for i := range fragments {
		f.Add(fragments[i]+glue[i%len(glue)]+fragments[(i*7+3)%len(fragments)], uint64(i))
	}
	e, full, known := engine(f), fullEngine(f), someKnown(f)
	f.Fuzz(func(t *testing.T, text string, seed uint64) {
		r := rand.New(rand.NewPCG(seed, 1))
		replay(t, e, known, text, func() int { return 1 })
		replay(t, full, known, text, func() int { return 1 + r.IntN(9) })
		replay(t, full, nil, text, func() int { return 1 + r.IntN(60) })
	})
}

func TestPlainTextIsReleasedPromptly(t *testing.T) {
	s := engine(t).Stream(someKnown(t))
	for _, step := range []struct {
		chunk, want string
	}{
		{"Hello wor", "Hello "}, {"ld and ", "world and "}, {"good-", ""}, {"bye to ", "good-bye to "}, {"5", ""}, {" ", ""}, {"p", ""},
		{"eople, 漢字", "5 people, 漢字"}, {" Alice ", " "}, {"went.", "Alice "}, {" ", "went. "},
	} {
		var got strings.Builder
		for _, p := range s.Write(step.chunk) {
			got.WriteString(p.Text)
		}
		if got.String() != step.want {
			t.Errorf("after %q came %q, want %q", step.chunk, got.String(), step.want)
		}
	}
}

func TestLongCandidatesBecomePlaceholders(t *testing.T) {
	e := engine(t)
	for name, c := range map[string]struct {
		text, kind string
		start, end int
	}{
		"run":         {"see " + strings.Repeat("a1", 300) + " there", Long, 4, 604},
		"just short":  {"see " + strings.Repeat("a", 255) + " there", "", 0, 0},
		"just long":   {"see " + strings.Repeat("a", 256) + " there", Long, 4, 260},
		"web address": {"see https://x.example/" + strings.Repeat("a,", 200) + " there", Long, 4, 422},
		"key":         {"my -----BEGIN PRIVATE KEY-----\n" + strings.Repeat(strings.Repeat("Ab3/", 16)+"\n", 20) + "-----END PRIVATE KEY----- ok", PrivateKey, 3, 1356},
		"cut by han":  {strings.Repeat("a1", 300) + "漢字", Long, 0, 600},
		"han":         {strings.Repeat("漢", 300), "", 0, 0},
		"json":        {strings.Repeat(`{"a":1},`, 100), "", 0, 0},
	} {
		t.Run(name, func(t *testing.T) {
			fs, err := e.Find(ctx, c.text, nil)
			if err != nil {
				t.Fatal(err)
			}
			if c.kind == "" {
				if len(fs) != 0 {
					t.Fatalf("found\n%s, want nothing", show(c.text, fs))
				}
				return
			}
			if len(fs) != 1 || fs[0].Type != c.kind || fs[0].Start != c.start || fs[0].End != c.end {
				t.Fatalf("found\n%s, want one %s at %d-%d", show(c.text, fs), c.kind, c.start, c.end)
			}
			if c.kind == Long && fs[0].Label != flow.Unlabelled {
				t.Errorf("label %s, want unlabelled: nobody looked into it", fs[0].Label)
			}
		})
	}
}

func TestAnUnfinishedKeyDoesNotSwallowTheRest(t *testing.T) {
	text := "A file with -----BEGIN PRIVATE KEY----- in its first line is a key. " + strings.Repeat("This is prose that goes on. ", 20)
	fs, err := engine(t).Find(ctx, text, nil)
	if err != nil || len(fs) != 1 || fs[0].Type != PrivateKey || fs[0].End > 120 {
		t.Errorf("Find = %s, %v, want a key that ends near its line", show(text, fs), err)
	}
}

func TestOneEngineServesManyAtOnce(t *testing.T) {
	e, known := engine(t), someKnown(t)
	text := strings.Join(fragments, " ")
	want, err := e.Find(ctx, text, known)
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 20 {
				if got, err := e.Find(ctx, text, known); err != nil || !reflect.DeepEqual(got, want) {
					t.Errorf("found %d things (%v), alone %d", len(got), err, len(want))
				}
			}
		})
	}
	wg.Wait()
}

func TestFindStopsWithItsContext(t *testing.T) {
	over, cancel := context.WithCancel(ctx)
	cancel()
	if fs, err := engine(t).Find(over, "alice@example.org", nil); !errors.Is(err, context.Canceled) || fs != nil {
		t.Errorf("Find = %v, %v, want context.Canceled and nothing", fs, err)
	}
}
