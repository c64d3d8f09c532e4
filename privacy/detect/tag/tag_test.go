package tag

import (
	"math/rand/v2"
	"reflect"
	"strings"
	"testing"
)

func BenchmarkAppend(b *testing.B) {
	t := Default()
	text := strings.Repeat(`The applicant, Mr Ahmet Yildiz, is a Turkish national who was born in 1955 and lives in Diyarbakir. He was represented before
the Court by Ms S. Tanrikulu, a lawyer practising in Ankara. On 12 March 1999 the police searched the house of his brother in the presence of two neighbours
and found nothing of interest there, as the report that was drawn up on the same day says. `, 20)
	var spans []Span
	b.SetBytes(int64(len(text)))
	b.ReportAllocs()
	for b.Loop() {
		spans = t.Append(spans[:0], text)
	}
}

var bits = strings.Split(`Dr Anna Kowalska|lives in|Ankara|for Siemens AG|Kowalska|a Turkish nurse|Mr|10 Downing Street|, |. |
|  |            |Maria|MARIA|maria|42|é|Łódź|漢字|`+"\xff|\x00|"+`@|O'Brien|-|(|)|the|`+strings.Repeat("x", 70)+`|`+strings.Repeat("Ż", 40)+`|Αθήνα|Москва|ﬁ|İstanbul`, "|")

func TestStreamEqualsCausal(t *testing.T) {
	tagger := Default()
	for seed := range uint64(3000) {
		r := rand.New(rand.NewPCG(seed, 3))
		var b strings.Builder
		for range 1 + r.IntN(30) {
			b.WriteString(bits[r.IntN(len(bits))])
			if r.IntN(3) > 0 {
				b.WriteByte(' ')
			}
		}
		checkStream(t, tagger, b.String(), func() int { return 1 + r.IntN(12) })
	}
}

func FuzzStream(f *testing.F) {
	for _, s := range bits {
		f.Add("Anna Kowalska "+s+" x", uint64(2))
	}
	tagger := Default()
	f.Fuzz(func(t *testing.T, text string, seed uint64) {
		r := rand.New(rand.NewPCG(seed, 3))
		checkStream(t, tagger, text, func() int { return 1 + r.IntN(12) })
	})
}

func checkStream(t *testing.T, tagger *Tagger, text string, next func() int) {
	t.Helper()
	want := tagger.AppendCausal(nil, text)
	at := 0
	for _, s := range want {
		if s.Start < at || s.End <= s.Start || s.End > len(text) || s.End-s.Start > MaxSpan || s.Score <= 0 || s.Score > 1 {
			t.Fatalf("span %+v after %d in %q", s, at, text)
		}
		at = s.End
	}
	st := tagger.Stream()
	var got []Span
	settled := 0
	for rest := text; ; {
		n := min(next(), len(rest))
		spans, decided := st.Write(rest[:n], n == len(rest))
		for _, s := range spans {
			if s.Start < settled {
				t.Fatalf("span %+v begins before %d, which was settled, in %q", s, settled, text)
			}
		}
		got = append(got, spans...)
		if decided < settled || decided > len(text) {
			t.Fatalf("settled up to %d after %d in %q", decided, settled, text)
		}
		settled = decided
		if rest = rest[n:]; rest == "" {
			break
		}
	}
	if settled != len(text) || !reflect.DeepEqual(got, want) {
		t.Fatalf("in pieces %+v up to %d, whole %+v, in %q", got, settled, want, text)
	}
}

// An honorific that turns out to be somebody's name later is found once.
func TestHonorificThatIsANameIsFoundOnce(t *testing.T) {
	for _, text := range []string{"Dame Schmidt called. Dear Anna Dame, thank you.", "Fräulein Schmidt called. Patient: Maria Fräulein"} {
		spans, end := Default().Append(nil, text), 0
		if len(spans) < 3 || spans[0].Start != 0 || spans[0].Kind != Honorific {
			t.Errorf("%+v in %q", spans, text)
		}
		for _, s := range spans {
			if s.Start < end {
				t.Errorf("%+v overlaps what is before it in %q", s, text)
			}
			end = s.End
		}
	}
}

// Nothing that a run of code or of stand-ins goes on with is held back for the honorific before it.
func TestLittleIsHeldAfterAnHonorific(t *testing.T) {
	tagger := Default().WithStandIns([]string{"person"})
	for begin, unit := range map[string]string{"Mr a1_b": ",b", "Mr [": "person a b c d["} {
		st := tagger.Stream()
		text := begin + strings.Repeat(unit, 1000)
		for i := range len(text) {
			if _, decided := st.Write(text[i:i+1], false); i+1-decided > 2*MaxSpan {
				t.Fatalf("%d bytes are held after %q", i+1-decided, begin)
			}
		}
	}
}

// What stands in for a name is not found again, however it is spelled, and so can be put back.
func TestStandInsAreLeftAlone(t *testing.T) {
	tagger := Default().WithStandIns([]string{"person", "email", "place"})
	for _, id := range []string{"3", "28", "a3r7", "mark", "anna", "b5c2"} {
		for _, form := range []string{"you said: Who is [email %s]?", "Dr [person %s] lives in [place %s].", "[person %s] and Mr [person %s] met"} {
			text := strings.ReplaceAll(form, "%s", id)
			for _, s := range tagger.Append(nil, text) {
				if strings.ContainsAny(text[s.Start:s.End], "[]") || strings.Contains(text[s.Start:s.End], id) {
					t.Errorf("%q is found in %q", text[s.Start:s.End], text)
				}
			}
		}
	}
}

func TestWordsSayTheirLists(t *testing.T) {
	for text, want := range map[string]Lists{
		"Giulia": InGiven, "Kowalski": InFamily, "Hamburg": InCities, "Buenos Aires": InCities, "Portugal": InCountry, "GmbH": InOrgForm,
		"electrician": InTrade, "qzxwvvk": 0,
	} {
		n, got := 0, Lists(0)
		Default().Words(text, func(start, end int, in Lists) bool {
			if start >= end || end > len(text) {
				t.Errorf("a word of %q is at [%d, %d)", text, start, end)
			}
			n++
			got |= in
			return true
		})
		if n == 0 || want == 0 && got != 0 || got&want != want {
			t.Errorf("%q has %d words in lists %b, want %b", text, n, got, want)
		}
	}
	n := 0
	Default().Words("one two three", func(int, int, Lists) bool { n++; return n < 2 })
	if n != 2 {
		t.Errorf("%d words after f said no at the second", n)
	}
}
