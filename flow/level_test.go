package flow

import (
	"encoding"
	"fmt"
	"math/rand/v2"
	"testing"
)

// treatments draws random treatments of a family; some are of the other family or carry parameters that do not fit.
type treatments struct {
	*rand.Rand
	family Family
}

func (r treatments) draw() Treatment {
	levels := []Level{Dropped, Masked, Tokenized, Generalized, Raw}
	params := []Param{
		"", "", "day", "month", "quarter", "year", "decade", TokenReversible, TokenOneWay, TokenSurrogate, TokenFormat, TokenRealistic, "nonsense", "keep:0", "keep:01", "bucket:x",
		Param(fmt.Sprintf("keep:%d", 1+r.IntN(5))), Param(fmt.Sprintf("bucket:%d", 1+r.IntN(60))), Param(fmt.Sprintf("bucket:%d", 1+r.IntN(1<<31-1))),
		Param(fmt.Sprintf("round:%d", 1+r.IntN(9))), Param(fmt.Sprintf("prefix:%d", 1+r.IntN(6))), Param(fmt.Sprintf("net:%d", 8+r.IntN(20))), Param(fmt.Sprintf("up:%d", 1+r.IntN(4))),
		Param(fmt.Sprintf("shift:%d", 1+r.IntN(3))), Param(fmt.Sprintf("top:%d", r.IntN(9))), Param(fmt.Sprintf("bottom:%d", r.IntN(9))),
	}
	second := r.family.Second()
	return Treatment{Level: append(levels, second, second, second)[r.IntN(8)], Param: params[r.IntN(len(params))]}
}

func TestMeetIsASemilattice(t *testing.T) {
	const triples = 100_000
	for _, f := range []Family{Identifier, Attribute} {
		r := treatments{rand.New(rand.NewPCG(7, uint64(f))), f}
		proper := 0 // meets that are neither of the two
		for range triples {
			a, b, c := r.draw(), r.draw(), r.draw()
			ab := f.Meet(a, b)
			if ba := f.Meet(b, a); ab != ba {
				t.Fatalf("%s: %s ∧ %s = %s, but the other way round %s", f, a, b, ab, ba)
			}
			if left, right := f.Meet(ab, c), f.Meet(a, f.Meet(b, c)); left != right {
				t.Fatalf("%s: (%s ∧ %s) ∧ %s = %s, but grouped the other way %s", f, a, b, c, left, right)
			}
			if again := f.Meet(ab, ab); again != ab {
				t.Fatalf("%s: %s ∧ itself = %s", f, ab, again)
			}
			if f.Meet(ab, a) != ab || f.Meet(ab, b) != ab {
				t.Fatalf("%s: %s is not below both %s and %s", f, ab, a, b)
			}
			if !f.Has(ab.Level) || ab.Level.Reveals(a.Level) && f.Has(a.Level) || ab.Level.Reveals(b.Level) && f.Has(b.Level) {
				t.Fatalf("%s: %s ∧ %s = %s, which is more than one of them", f, a, b, ab)
			}
			if f.Reveals(ab, a) || f.Reveals(ab, b) {
				t.Fatalf("%s: the meet %s reveals something that %s or %s does not", f, ab, a, b)
			}
			if ab != f.Meet(a, a) && ab != f.Meet(b, b) {
				proper++
			}
		}
		if f == Attribute && proper < triples/100 { // parameters of identifiers are chains
			t.Errorf("%s: only %d meets were neither of the two, too few to say anything", f, proper)
		}
	}
}

func TestMeetOfParameters(t *testing.T) {
	gen := func(p Param) Treatment { return Treatment{Generalized, p} }
	for _, c := range []struct {
		family     Family
		a, b, want Treatment
	}{
		{Attribute, gen("month"), gen("year"), gen("year")},
		{Attribute, gen("bucket:4"), gen("bucket:6"), gen("bucket:12")},
		{Attribute, gen("bucket:2000000000"), gen("bucket:1999999999"), Treatment{Level: Masked}},
		{Attribute, gen("round:5"), gen("round:10"), Treatment{Level: Masked}},
		{Attribute, gen("round:5"), gen("round:5"), gen("round:5")},
		{Attribute, gen("prefix:3"), gen("prefix:2"), gen("prefix:2")},
		{Attribute, gen("net:24"), gen("net:16"), gen("net:16")},
		{Attribute, gen("up:1"), gen("up:3"), gen("up:3")},
		{Attribute, gen("month"), gen("bucket:10"), Treatment{Level: Masked}},
		{Attribute, gen(""), gen("year"), Treatment{Level: Masked}},
		{Attribute, gen("year"), Treatment{Level: Raw}, gen("year")},
		{Attribute, Treatment{Level: Tokenized}, Treatment{Level: Raw}, Treatment{Level: Masked}},
		{Identifier, Treatment{Tokenized, TokenReversible}, Treatment{Tokenized, TokenSurrogate}, Treatment{Tokenized, TokenSurrogate}},
		{Identifier, Treatment{Level: Tokenized}, Treatment{Tokenized, TokenReversible}, Treatment{Tokenized, TokenSurrogate}},
		{Attribute, gen("top:90"), gen("top:80"), gen("top:80")},
		{Attribute, gen("bottom:5"), gen("bottom:0"), gen("bottom:5")},
		{Attribute, gen("top:90"), gen("bottom:5"), Treatment{Level: Masked}},
		{Attribute, gen("shift:30"), gen("shift:60"), Treatment{Level: Masked}},
		{Attribute, gen("shift:30"), gen("shift:30"), gen("shift:30")},
		{Attribute, gen("shift:30"), gen("year"), Treatment{Level: Masked}},
		{Identifier, Treatment{Tokenized, TokenFormat}, Treatment{Tokenized, TokenReversible}, Treatment{Tokenized, TokenReversible}},
		{Identifier, Treatment{Tokenized, TokenFormat}, Treatment{Tokenized, TokenRealistic}, Treatment{Tokenized, TokenSurrogate}},
		{Identifier, Treatment{Tokenized, TokenRealistic}, Treatment{Tokenized, TokenRealistic}, Treatment{Tokenized, TokenRealistic}},
		{Identifier, Treatment{Tokenized, TokenRealistic}, Treatment{Level: Masked}, Treatment{Level: Masked}},
		{Identifier, Treatment{Masked, "keep:4"}, Treatment{Masked, "keep:2"}, Treatment{Masked, "keep:2"}},
		{Identifier, Treatment{Masked, "keep:4"}, Treatment{Level: Masked}, Treatment{Level: Masked}},
		{Identifier, Treatment{Masked, "keep:4"}, Treatment{Level: Raw}, Treatment{Masked, "keep:4"}},
		{Identifier, Treatment{Level: Dropped}, Treatment{Level: Raw}, Treatment{Level: Dropped}},
	} {
		if got := c.family.Meet(c.a, c.b); got != c.want {
			t.Errorf("%s: %s ∧ %s = %s, want %s", c.family, c.a, c.b, got, c.want)
		}
	}
}

func TestTierCapIsMonotone(t *testing.T) {
	for _, f := range []Family{Identifier, Attribute} {
		for tier := Restricted; tier <= Public; tier++ {
			for c := Low; c <= Critical; c++ {
				limit := TierCap(tier, c, f)
				if !f.Has(limit) {
					t.Errorf("TierCap(%s, %s, %s) = %s, which the family does not have", tier, c, f, limit)
				}
				if c > Low && TierCap(tier, c-1, f).Reveals(limit) {
					t.Errorf("%s %s data shows more at %s than at %s criticality", tier, f, c-1, c)
				}
				if tier > Restricted && TierCap(tier-1, c, f).Reveals(limit) {
					t.Errorf("%s data shows more than %s at %s criticality", tier-1, tier, c)
				}
			}
		}
		if got := TierCap(Tier(9), Criticality(9), f); got != Dropped {
			t.Errorf("TierCap of a tier and a criticality that do not exist = %s, want dropped", got)
		}
	}
}

func TestTierCapIsTheTable(t *testing.T) {
	want := map[Tier][3]Level{
		Public: {Raw, Raw, Raw}, Internal: {Tokenized, Raw, Raw}, Confidential: {Masked, Tokenized, Raw}, Restricted: {Dropped, Masked, Tokenized},
	}
	for tier, row := range want {
		for c, level := range row {
			if got := TierCap(tier, Criticality(c), Identifier); got != level {
				t.Errorf("TierCap(%s, %s) = %s, want %s", tier, Criticality(c), got, level)
			}
		}
	}
}

func TestZeroValuesAreStrict(t *testing.T) {
	var (
		tr Treatment
		ti Tier
		cr Criticality
		or Origin
	)
	if tr.Level != Dropped || ti != Restricted || cr != Low || or != Supplied {
		t.Errorf("zero values are %s, %s, %s, %s; want dropped, restricted, low, supplied", tr, ti, cr, or)
	}
}

func TestParseParam(t *testing.T) {
	for _, c := range []struct {
		level Level
		text  string
		ok    bool
	}{
		{Generalized, "year", true}, {Generalized, "bucket:10", true}, {Generalized, "net:24", true}, {Generalized, "", true},
		{Tokenized, "oneway", true}, {Masked, "keep:4", true}, {Raw, "", true},
		{Generalized, "shift:30", true}, {Generalized, "top:90", true}, {Generalized, "bottom:0", true}, {Tokenized, "format", true}, {Tokenized, "realistic", true},
		{Generalized, "shift:0", false}, {Generalized, "shift:3661", false}, {Generalized, "top:-1", false}, {Generalized, "format", false},
		{Generalized, "bucket:0", false}, {Generalized, "bucket:010", false}, {Generalized, "bucket:-1", false}, {Generalized, "bucket:", false},
		{Generalized, "bucket:99999999999999999999", false}, {Generalized, "net:33", false}, {Generalized, "keep:4", false}, {Generalized, "year:1", false},
		{Tokenized, "year", false}, {Masked, "keep:5", false}, {Masked, "oneway", false}, {Raw, "keep:4", false}, {Dropped, "x", false}, {Level(77), "x", false},
	} {
		if _, err := ParseParam(c.level, c.text); (err == nil) != c.ok {
			t.Errorf("ParseParam(%s, %q) error = %v, want ok %t", c.level, c.text, err, c.ok)
		}
	}
}

// readsBack checks that values survive their text form, and that other words are refused.
func readsBack[V comparable, P interface {
	*V
	encoding.TextUnmarshaler
}](t *testing.T, values ...V) {
	t.Helper()
	for _, v := range values {
		b, err := any(v).(encoding.TextMarshaler).MarshalText()
		if err != nil {
			t.Fatal(err)
		}
		var back V
		if err := P(&back).UnmarshalText(b); err != nil || back != v {
			t.Errorf("%q reads back as %v, error %v", b, back, err)
		}
		if err := P(&back).UnmarshalText([]byte("nonsense")); err == nil {
			t.Errorf("%T reads nonsense", v)
		}
	}
}

func TestTextFormsReadBack(t *testing.T) {
	readsBack[Level](t, Dropped, Masked, Tokenized, Generalized, Raw)
	readsBack[Family](t, Identifier, Attribute)
	readsBack[Criticality](t, Low, Routine, Critical)
	readsBack[Tier](t, Restricted, Confidential, Internal, Public)
	readsBack[Direction](t, Request, Response)
	readsBack[Origin](t, Supplied, Detected, Catalogued)
	readsBack[Kind](t, Text, Date, Number, Postal, Network, Code, Digits, Truth)
	readsBack[Limit](t, ByPolicy, ByNeed, ByTier, BySchema, ByExposure, ByHandle, ByHop)
	readsBack[SubjectRef](t, SubjectRef{}, SubjectRef{1, 2, 3})
}
