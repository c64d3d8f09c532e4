package detect

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"
)

var chatLines = []string{
	"[%02d:%02d] %[3]s: morning all, did anyone hear back from %[4]s about the flat in %[5]s? The landlord wants an answer by Friday.",
	"[%02d:%02d] %[3]s: not yet. I rang twice and left my number, 030 9018 2%03[6]d, but she only reads mail: %[7]s@example.org",
	"[%02d:%02d] %[3]s: ok, I'll forward the contract then. Attached is the draft, page two has the rent and the deposit.",
	"[%02d:%02d] %[3]s: our physio moved, new place is %[8]d Mill Lane, %[5]s. Take the bus, parking there is hopeless!",
	"[%02d:%02d] %[3]s: lol yes, waited forty minutes last time :) btw the kids have swimming on Tuesdays now, so mornings only",
	"[%02d:%02d] %[3]s: @%[7]s can you book it under %[4]s please? Date of birth is 12 March 19%[8]d, member no. A12-34%03[6]d",
	"[%02d:%02d] %[3]s: done, they asked for a card to hold it. I gave them mine, it is only charged if nobody turns up",
	"[%02d:%02d] %[3]s: thanks!! you are a star. Whoever is in %[5]s next week gets lunch, there is a new noodle bar near the station",
	"[%02d:%02d] %[3]s: I start as a nurse at Northfield Clinic on Monday, so I can ask %[4]s for the forms myself",
	"[%02d:%02d] %[3]s: congratulations! so proud of you. And don't forget the report, we said we would send it before the holidays",
	"[%02d:%02d] %[3]s: see https://example.com/forms/%[6]d, the third one is what they need; my login there is %[7]s",
	"[%02d:%02d] %[3]s: hmm it says the page is gone. Whatever, let us talk tonight, I am off to the dentist and my phone is nearly empty",
}

// chatText is n bytes of a chat of friends, one finding in some twenty words.
func chatText(n int) string {
	given := strings.Fields("Anna Mehmet Chloe Tomasz Ingrid Rafael Yuki Siobhan Bram Lucía Pavel Amara")
	family := strings.Fields("Kowalska Yildiz Dubois Novak Lindqvist Moreira Tanaka Byrne Visser Ortega Horvat Okafor")
	places := strings.Fields("Leipzig Ankara Lyon Brno Uppsala Porto Osaka Galway Utrecht Granada Split Ibadan")
	var b strings.Builder
	for i := 0; b.Len() < n; i++ {
		who, whom := i*5%12, i*7+3
		fmt.Fprintf(&b, chatLines[i%len(chatLines)]+"\n", 8+i/12%12, i*3%60, given[who], given[whom%12]+" "+family[whom/3%12], places[i*11%12],
			(i*37+11)%1000, strings.ToLower(family[who])[:3]+fmt.Sprint(i), 40+i%50)
	}
	return strings.ReplaceAll(b.String()[:n], "%!(EXTRA", "")
}

// BenchmarkChat10KB is a message of 10 KB with all that the engine does, with and without names to look for.
func BenchmarkChat10KB(b *testing.B) {
	e, text := fullEngine(b), chatText(10<<10)
	for name, known := range map[string]*KnownSet{"known=0": nil, "known=50": fiftyNames(b)} {
		b.Run(name, func(b *testing.B) {
			b.SetBytes(int64(len(text)))
			b.ReportAllocs()
			for b.Loop() {
				if _, err := e.Find(ctx, text, known); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkAllPasses is what each pass takes of the same message: forms, forms with rules of one's own, names, both, and both in
// pieces.
func BenchmarkAllPasses(b *testing.B) {
	text := chatText(10 << 10)
	forms, full, own := engine(b), fullEngine(b), ruled(b, manyRules)
	var found []Finding
	for _, pass := range []struct {
		name string
		find func()
	}{
		{"forms", func() { found, _ = forms.AppendForms(ctx, found[:0], text, nil) }},
		{"rules", func() { found, _ = own.AppendForms(ctx, found[:0], text, nil) }},
		{"names", func() { found, _ = full.names(ctx, found[:0], 0, text, false) }},
		{"all", func() { found, _ = full.Find(ctx, text, nil) }},
		{"stream", func() {
			s := full.Stream(nil)
			for i := 0; i < len(text); i += 64 {
				s.Write(text[i:min(i+64, len(text))])
			}
			s.Close()
		}},
	} {
		b.Run(pass.name, func(b *testing.B) {
			b.SetBytes(int64(len(text)))
			b.ReportAllocs()
			for b.Loop() {
				pass.find()
			}
		})
	}
}

// TestChatTakesLittleTime: the text of the benchmarks is one in which much is found, and takes far less than anybody waits.
func TestChatTakesLittleTime(t *testing.T) {
	e, text := fullEngine(t), chatText(10<<10)
	best := time.Hour
	var kinds []string
	for range 5 {
		var found []Finding
		var err error
		best = min(best, timed(t, func() { found, err = e.Find(ctx, text, nil) }))
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range found {
			kinds = append(kinds, f.Type)
		}
	}
	for _, kind := range []string{Person, Place, Email, Phone, Date, URL, Member, Address} {
		if !slices.Contains(kinds, kind) {
			t.Errorf("no %s is found", kind)
		}
	}
	if best > 20*time.Millisecond && !raced { // two on a machine that does nothing else
		t.Errorf("10 KB took %v", best)
	}
}
