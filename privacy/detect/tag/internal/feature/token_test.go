package feature

import (
	"fmt"
	"strings"
	"testing"
	"unicode"

	"golang.org/x/text/unicode/norm"
)

func tokens(s string) (all []Token) {
	var t Token
	for p := 0; Next(s, p, true, &t); p = t.End {
		all = append(all, t)
	}
	return all
}

func TestTokens(t *testing.T) {
	for text, want := range map[string]string{
		"Mr O'Brien, 42, met iPhone-users.": "Mr:2 O:4 ':15 Brien:2 ,:15 42:7 ,:15 met:1 iPhone:11 -:15 users:1 .:15",
		"a\n b\n\n\nc        d":             "a:1 \n:13 b:1 \n\n\n:14 c:1         :14 d:1",
		"ŁÓDŹ Éa 漢字 x1 1999 123456":         "ŁÓDŹ:3 Éa:2 漢字:12 x1:11 1999:9 123456:10",
		strings.Repeat("z", 70):             strings.Repeat("z", 32) + ":1 " + strings.Repeat("z", 32) + ":1 zzzzzz:1",
		"a\u00a0b … \xff\xffq":              "a:1 \u00a0:15 b:1 …:15 \xff:15 \xff:15 q:1",
	} {
		var got []string
		for _, tok := range tokens(text) {
			got = append(got, fmt.Sprintf("%s:%d", text[tok.Start:tok.End], tok.Shape))
		}
		if s := strings.Join(got, " "); s != want {
			t.Errorf("tokens of %q:\n%q\nwant\n%q", text, s, want)
		}
	}
}

// What has an accent by the tables of Unicode is folded to the letter without it, and so is a letter with an accent after it.
func TestFoldingAgreesWithUnicode(t *testing.T) {
	for r := rune(0xC0); r < 0x1F00; r++ {
		if r >= 0x250 && r < 0x1E00 || !unicode.IsLetter(r) {
			continue
		}
		base := []rune(norm.NFD.String(string(r)))
		if len(base) < 2 || base[0] >= 0x80 {
			continue
		}
		if got, ok := fold(r); !ok || got != unicode.ToLower(base[0]) {
			t.Errorf("fold(%c) = %c, want %c", r, got, unicode.ToLower(base[0]))
		}
		one, two := tokens(string(r) + "b")[0], tokens(norm.NFD.String(string(r)) + "b")[0]
		if one.Hash != two.Hash || one.Prefix != two.Prefix {
			t.Errorf("%c has another hash when its accent stands after it", r)
		}
	}
}

func TestCaseAndAccentsDoNotCount(t *testing.T) {
	want := tokens("yildiz")[0]
	for _, s := range []string{"Yildiz", "YILDIZ", "Yıldız", "YİLDİZ", "yi\u0307ldiz"} {
		if got := tokens(s)[0]; got.Hash != want.Hash || got.Suffix != want.Suffix || got.Prefix != want.Prefix {
			t.Errorf("%q is another word than yildiz", s)
		}
	}
}

func TestGazetteer(t *testing.T) {
	entries := map[uint32]Gaz{}
	var order []uint32
	for i := range uint32(50_000) {
		h := i*2654435761 + 12345
		entries[h] = Gaz(1 << (i % 15))
		order = append(order, h)
	}
	g := Gazetteer{string(MakeGazetteer(entries, order))}
	for h, want := range entries {
		if got := g.Lookup(h); got&want == 0 {
			t.Fatalf("Lookup(%d) = %b, want %b in it", h, got, want)
		}
	}
	false := 0
	for i := range uint32(100_000) {
		if h := i*2246822519 + 7; entries[h] == 0 && g.Lookup(h) != 0 {
			false++
		}
	}
	if false > 200 {
		t.Errorf("%d of 100,000 words are taken for listed ones", false)
	}
}

func TestMemoryIsBounded(t *testing.T) {
	var m Memory
	for i := range uint32(3 * maxMemory) {
		m.Add(i*2654435761, SeenPerson)
	}
	if m.taken > maxMemory || len(m.slots) > 4*maxMemory {
		t.Errorf("%d words in %d slots", m.taken, len(m.slots))
	}
	if m.Of(0) != SeenPerson || m.Of(1) != 0 {
		t.Error("what came first is remembered no more, or what never came is")
	}
	m.Reset()
	if m.Of(0) != 0 {
		t.Error("a memory that was reset remembers")
	}
}
