package detect

import (
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"math/rand/v2"
	"net/url"
	"strings"
	"testing"

	"github.com/scrimhq/scrim/flow"
)

func entities(text, form string) string {
	var b strings.Builder
	for _, r := range text {
		fmt.Fprintf(&b, form, r)
	}
	return b.String()
}

func percentAll(text string) string {
	var b strings.Builder
	for i := range len(text) {
		fmt.Fprintf(&b, "%%%02X", text[i])
	}
	return b.String()
}

func TestEncodedValuesAreFound(t *testing.T) {
	e := engine(t)
	const mail, card = "alice@example.org", "pay with 4111 1111 1111 1111 now"
	for _, c := range []struct {
		name, run, by string
		label         flow.Label
	}{
		{"base64", base64.StdEncoding.EncodeToString([]byte(mail)), "encoded/base64", "person/contact/email"},
		{"base64 without padding", base64.RawStdEncoding.EncodeToString([]byte(mail)), "encoded/base64", "person/contact/email"},
		{"base64url", base64.URLEncoding.EncodeToString([]byte("?ÿ>~ " + mail)), "encoded/base64", "person/contact/email"},
		{"base64 with both marks", base64.StdEncoding.EncodeToString([]byte("?ÿ>~ " + mail)), "encoded/base64", "person/contact/email"},
		{"base64, strictest of two", base64.StdEncoding.EncodeToString([]byte(mail + " " + card)), "encoded/base64", "finance/card"},
		{"base64 of a number with its word", base64.StdEncoding.EncodeToString([]byte("ssn: 219-09-9999")), "encoded/base64", "government-id/ssn"},
		{"hex", hex.EncodeToString([]byte(mail)), "encoded/hex", "person/contact/email"},
		{"capital hex", strings.ToUpper(hex.EncodeToString([]byte(card))), "encoded/hex", "finance/card"},
		{"hex with a prefix", "0x" + hex.EncodeToString([]byte(mail)), "encoded/hex", "person/contact/email"},
		{"percent", "alice%40example.org", "encoded/percent", "person/contact/email"},
		{"percent throughout", percentAll(mail), "encoded/percent", "person/contact/email"},
		{"form", url.QueryEscape("+1 (415) 555-0100"), "encoded/percent", "person/contact/phone"},
		{"entities", "alice&#64;example.org", "encoded/html", "person/contact/email"},
		{"entities with a name", "alice&commat;example&period;org", "encoded/html", "person/contact/email"},
		{"entities throughout", entities("a@example.org", "&#%d;"), "encoded/html", "person/contact/email"},
		{"hexadecimal entities throughout", entities("a@example.org", "&#x%X;"), "encoded/html", "person/contact/email"},
	} {
		for _, around := range [][2]string{{"", ""}, {"the value is ", ", he said"}, {`{"v":"`, `"}`}, {"(", ")"}, {"k=", ""}, {"see:", ". Then"}} {
			text := around[0] + c.run + around[1]
			fs, err := e.Find(ctx, text, nil)
			if err != nil {
				t.Fatal(err)
			}
			ok := false
			for _, f := range fs {
				ok = ok || f.Type == Encoded && f.By == c.by && f.Label == c.label && strings.Contains(text[f.Start:f.End], strings.Trim(c.run, "=0x"))
			}
			if !ok {
				t.Errorf("%s: %q gives %+v, want one %s of %s", c.name, text, fs, c.label, c.by)
			}
		}
	}
}

func TestEncodedKnownValues(t *testing.T) {
	known := knownSet(t, Known{"Project Bluebird", "business/confidential"})
	text := "memo " + base64.StdEncoding.EncodeToString([]byte("on project bluebird"))
	fs, err := engine(t).Find(ctx, text, known)
	if err != nil || len(fs) != 1 || fs[0].Label != "business/confidential" || fs[0].Start != 5 {
		t.Errorf("a known value in base64 gives %+v, %v", fs, err)
	}
}

func TestCompressedRunsAreOpaque(t *testing.T) {
	for _, head := range []string{"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\x03", "PK\x03\x04\x14\x00\x00\x00\x08\x00", "\x28\xb5\x2f\xfd\x04\x00\x51\x00\x00"} {
		text := "x " + base64.StdEncoding.EncodeToString([]byte(head+"\xcb\x48\xcd\xc9\xc9")) + " y"
		fs, err := engine(t).Find(ctx, text, nil)
		if err != nil || len(fs) != 1 || fs[0].Type != Encoded || fs[0].Label != flow.OpaqueFile {
			t.Errorf("%q gives %+v, %v", text, fs, err)
		}
	}
}

// What is encoded twice is not looked into twice; what says nothing is left alone.
func TestEncodedSaysNothing(t *testing.T) {
	e := engine(t)
	once := base64.StdEncoding.EncodeToString([]byte("alice@example.org"))
	for _, text := range []string{
		base64.StdEncoding.EncodeToString([]byte("the quick brown fox")), base64.StdEncoding.EncodeToString([]byte(once)), hex.EncodeToString([]byte("nothing here at all")),
		"internationalization", "d41d8cd98f00b204e9800998ecf8427e", "100%25 of the way there", "AT&T&amp;others&amp;more", "src/main/java/org/example/App", "&amp;&lt;&gt;&quot;&amp;&lt;",
	} {
		if got := spans(t, e, text, nil); len(got) != 0 {
			t.Errorf("%q gives %q", text, got)
		}
	}
	r := rand.New(rand.NewPCG(1, 2))
	for range 20_000 {
		b := make([]byte, 12+r.IntN(40))
		for i := range b {
			b[i] = byte(r.Uint32())
		}
		for _, text := range []string{base64.StdEncoding.EncodeToString(b), base64.RawURLEncoding.EncodeToString(b), hex.EncodeToString(b)} {
			fs, err := e.Find(ctx, text, nil)
			if err != nil {
				t.Fatal(err)
			}
			for _, f := range fs {
				if f.Type == Encoded {
					t.Fatalf("a random id %q gives %+v", text, f)
				}
			}
		}
	}
}

// A finding of a mild kind at the start of a run must not hide what the run encodes.
func TestEncodedIsNotHiddenByAMilderFinding(t *testing.T) {
	run := percentAll("4111111111111111")
	fs, err := engine(t).Find(ctx, "https://a.example/"+run, nil)
	if err != nil || len(fs) != 1 || fs[0].Label != "finance/card" {
		t.Errorf("a card in an address gives %+v, %v", fs, err)
	}
}

func TestEncodedLongRunIsSwallowed(t *testing.T) {
	for name, run := range map[string]string{
		"base64": base64.StdEncoding.EncodeToString([]byte(strings.Repeat("word ", 60) + "alice@example.org")), "entities": entities(strings.Repeat("word ", 20)+"alice@example.org", "&#%d;"),
	} {
		fs, err := engine(t).Find(ctx, "x "+run, nil)
		if err != nil || len(fs) != 1 || fs[0].Type != Long || fs[0].End != len(run)+2 {
			t.Errorf("%s gives %+v, %v", name, fs, err)
		}
	}
}

func FuzzEncoded(f *testing.F) {
	f.Add("alice@example.org", uint8(0))
	f.Add("\xff 4111 1111 1111 1111", uint8(3))
	e := engine(f)
	f.Fuzz(func(t *testing.T, text string, form uint8) {
		text = text[:min(len(text), 40)]
		run := [...]string{base64.StdEncoding.EncodeToString([]byte(text)), base64.RawURLEncoding.EncodeToString([]byte(text)), hex.EncodeToString([]byte(text)),
			percentAll(text), entities(text, "&#%d;"), text}[form%6]
		for cut := range min(len(run), 12) {
			replay(t, e, nil, run, func() int { return cut + 1 })
		}
	})
}
