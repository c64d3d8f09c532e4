package detect

import (
	"math/rand/v2"
	"strings"
	"testing"
	"unicode/utf8"
)

var disguises = []struct{ text, want string }{
	{"x 4111·1111·1111·1111 y", "card 4111·1111·1111·1111"},
	{"4111–1111–1111–1111", "card 4111–1111–1111–1111"},
	{"4111\u00a01111\u00a01111\u00a01111", "card 4111\u00a01111\u00a01111\u00a01111"},
	{"4111 1111 1111\u202f1111", "card 4111 1111 1111\u202f1111"},
	{"4111\u200b1111\u200b1111\u200b1111", "card 4111\u200b1111\u200b1111\u200b1111"},
	{"４１１１ １１１１ １１１１ １１１１", "card ４１１１ １１１１ １１１１ １１１１"},
	{"４１１１　１１１１　１１１１　１１１１。", "card ４１１１　１１１１　１１１１　１１１１"},
	{"٤١١١ ١١١١ ١١١١ ١١١١", "card ٤١١١ ١١١١ ١١١١ ١١١١"},
	{"४१११-११११-११११-११११", "card ४१११-११११-११११-११११"},
	{"𝟒𝟏𝟏𝟏𝟏𝟏𝟏𝟏𝟏𝟏𝟏𝟏𝟏𝟏𝟏𝟏", "card 𝟒𝟏𝟏𝟏𝟏𝟏𝟏𝟏𝟏𝟏𝟏𝟏𝟏𝟏𝟏𝟏"},
	{"411\u00ad1111\u00ad1111\u00ad11111", "card 411\u00ad1111\u00ad1111\u00ad11111"},
	{"123\u200b-45-6789", "ssn 123\u200b-45-6789"},
	{"SSN: １２３－４５－６７８９", "ssn １２３－４５－６７８９"},
	{"ＳＳＮ： １２３４５６７８９", "ssn １２３４５６７８９"},
	{"pay DЕ89 3704 0044 0532 0130 00", "iban DЕ89 3704 0044 0532 0130 00"},
	{"bo\u200bb@example.org", "email bo\u200bb@example.org"},
	{"ｂｏｂ＠ｅｘａｍｐｌｅ．ｏｒｇ", "email ｂｏｂ＠ｅｘａｍｐｌｅ．ｏｒｇ"},
	{"bob＠example.org", "email bob＠example.org"},
	{"bob@exa\u00admple.org", "email bob@exa\u00admple.org"},
	{"＋１ ４１５ ５５５ ０１００", "phone ＋１ ４１５ ５５５ ０１００"},
	{"+1\u2011415\u2011555\u20110100", "phone +1\u2011415\u2011555\u20110100"},
	{"key AKIA\u200bIOSFODNN7EXAMPLE", "secret AKIA\u200bIOSFODNN7EXAMPLE"},
	{"key АKIAIOSFODNN7EXAMPLE", "secret АKIAIOSFODNN7EXAMPLE"},
	{"192．168．10．1", "ip 192．168．10．1"},
	{"Ali\u200bce Marie Johnson", "known Ali\u200bce Marie Johnson"},
	{"Alice Marie John\u00adson", "known Alice Marie John\u00adson"},
	{"Аlice Mаrie Jоhnson", "known Аlice Mаrie Jоhnson"},
	{"Ａｌｉｃｅ Ｍａｒｉｅ Ｊｏｈｎｓｏｎ", "known Ａｌｉｃｅ Ｍａｒｉｅ Ｊｏｈｎｓｏｎ"},
	{"Jose\u0301 Nu\u0301n\u0303ez", "known Jose\u0301 Nu\u0301n\u0303ez"},
	{"Jose Nunez", "known Jose Nunez"},
}

func TestDisguises(t *testing.T) {
	e, known := engine(t), someKnown(t)
	for _, c := range disguises {
		if got := strings.Join(spans(t, e, c.text, known), "|"); got != c.want {
			t.Errorf("Find(%q) = %q, want %q", c.text, got, c.want)
		}
	}
}

// TestHonestScriptsStayAsTheyAre has texts in which look-alikes, joiners and other marks mean what they are.
func TestHonestScriptsStayAsTheyAre(t *testing.T) {
	e := engine(t)
	for _, text := range []string{
		"Совет решил рассмотреть вопрос о бюджете, 5-й этаж, на 12–14 страницах.", "Το συμβούλιο αποφάσισε να συζητήσει τον προϋπολογισμό.",
		"اجتمعت اللجنة في عام ٢٠٢٤ لمناقشة الميزانية، الصفحات ١٢–١٤.", "समिति ने २०२४ में बजट पर चर्चा की।", "می\u200cخواهم به خانه\u200cها بروم",
		"委員会は２０２４年に予算について話し合った（第３回）。", "ＡＢＣ株式会社の資料、１２３ページ", "pages 123–456, 10\u00a0000\u00a0km", "naïve café · résumé · 12\u00a0345,67\u00a0кг",
		"a – b — c · d • e", "ﬁnal oﬃce", "👩\u200d💻 and 🏳️\u200d🌈", "x²＋y²＝z²", "ȘI ÎN ȚARĂ", "1\u202f234\u202f567",
	} {
		if got := spans(t, e, text, nil); len(got) != 0 {
			t.Errorf("Find(%q) = %q, want nothing", text, got)
		}
	}
}

// TestDisguisesInStreams cuts disguised values everywhere, alone and among the fragments that all streams are tested with.
func TestDisguisesInStreams(t *testing.T) {
	e, known := engine(t), someKnown(t)
	r := rand.New(rand.NewPCG(3, 5))
	for range 3000 {
		var b strings.Builder
		for range 1 + r.IntN(6) {
			if d := disguises[r.IntN(len(disguises))].text; r.IntN(3) == 0 {
				b.WriteString(d[:r.IntN(len(d))]) // may cut a rune
			} else {
				b.WriteString(d)
			}
			b.WriteString(glue[r.IntN(len(glue))])
			if r.IntN(2) == 0 {
				b.WriteString(fragments[r.IntN(len(fragments))])
			}
		}
		replay(t, e, known, b.String(), func() int { return 1 + r.IntN(9) })
	}
}

// TestEachFindsDisguises holds what Each promises: all known values that Find finds.
func TestEachFindsDisguises(t *testing.T) {
	e, known := engine(t), someKnown(t)
	for _, d := range disguises {
		fs, err := e.Find(ctx, d.text, known)
		if err != nil {
			t.Fatal(err)
		}
		got := map[string]bool{}
		known.Each(d.text, func(k Known) { got[k.Text] = true })
		for _, f := range fs {
			if f.Known != "" && !got[f.Known] {
				t.Errorf("Each(%q) did not meet %q", d.text, f.Known)
			}
		}
	}
}

func FuzzDisguises(f *testing.F) {
	for _, d := range disguises {
		f.Add(d.text, 3)
	}
	e, known := engine(f), someKnown(f)
	f.Fuzz(func(t *testing.T, text string, step int) {
		if len(text) > 4096 || !utf8.ValidString(text) && len(text) > 256 {
			return
		}
		replay(t, e, known, text, func() int { return step%64 + 1 })
	})
}
