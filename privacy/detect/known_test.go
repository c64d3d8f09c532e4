package detect

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/scrimhq/scrim/flow"
)

func TestKnownValues(t *testing.T) {
	e, known := engine(t), someKnown(t)
	for _, c := range []struct{ text, want string }{
		{"Alice Marie Johnson came", "known Alice Marie Johnson"},
		{"ALICE  marie\n\tjohnson's car", "known ALICE  marie\n\tjohnson"},
		{"Dr. Johnson and johnson", "known Johnson|known johnson"},
		{"Johnsonville, McJohnson, johnson2", ""},
		{"(Johnson)", "known Johnson"},
		{"user=johnson_x", "known johnson"},
		{"Alice Johnson", "known Johnson"},
		{"Alice Marie", ""},
		{"mr Young is young", "known Young"},
		{"JOSÉ NÚÑEZ, núñez", "known JOSÉ NÚÑEZ|known núñez"},
		{"担当は田中太郎です", "known 田中太郎"},
		{"田中 太郎", "known 田中 太郎"},
		{"Mary-Ann O'Brien; O'BRIEN", "known Mary-Ann O'Brien|known O'BRIEN"},
		{"at +1 415 555 0199.", "known +1 415 555 0199"},
		{"project bluebird (phase 2)!", "known project bluebird (phase 2)"},
		{"project bluebird", ""},
		{"ALICE@example.org", "known ALICE@example.org"},
		{"alice@example.org.uk", "email alice@example.org.uk"},
		{"x.alice@example.org", "email x.alice@example.org"},
		{"johnson@example.com", "email johnson@example.com"},
		{"see @al_jo", "known @al_jo"},
		{"Alice " + strings.Repeat(" ", 20) + "Marie Johnson", "known Johnson"},
	} {
		if got := strings.Join(spans(t, e, c.text, known), "|"); got != c.want {
			t.Errorf("Find(%q) = %q, want %q", c.text, got, c.want)
		}
	}
}

func TestAKnownValueKeepsItsCanonicalForm(t *testing.T) {
	known := knownSet(t, Known{"Alice Johnson", "person/name"}, Known{"Bob Johnson", "person/name"}, Known{"johnson", "person/username"}, Known{"Dr. Eve Zweig, MD", "health/provider"})
	for text, want := range map[string]Known{
		"ALICE\nJOHNSON": {"Alice Johnson", "person/name"},
		"bob johnson":    {"Bob Johnson", "person/name"},
		"Johnson":        {"johnson", "person/username"}, // a value of its own goes before a family name
		"Zweig":          {"Dr. Eve Zweig, MD", "health/provider"},
	} {
		fs, err := engine(t).Find(ctx, text, known)
		if err != nil || len(fs) != 1 || fs[0].Known != want.Text || fs[0].Label != want.Label {
			t.Errorf("Find(%q) = %+v, %v, want %q", text, fs, err, want.Text)
		}
	}
}

func TestShortKnownValuesAreLeftOut(t *testing.T) {
	var vals []Known
	for _, v := range []string{"", " ", "a", "Al", "7", "42", "123", "-", "...", "A b", "\x00", "\xff", "a\x00"} {
		vals = append(vals, Known{v, "person/name"})
	}
	text := "a Al 7 42 123 - ... A b \x00 \xff and so on"
	if got := spans(t, engine(t), text, knownSet(t, vals...)); len(got) != 0 {
		t.Errorf("found %q, want nothing", got)
	}
}

func TestKnownSetIsBounded(t *testing.T) {
	var many []Known
	for i := range MaxKnown + 1 {
		many = append(many, Known{fmt.Sprintf("value %d", i), "person/name"})
	}
	if _, err := NewKnownSet(many); !errors.Is(err, ErrKnown) {
		t.Errorf("NewKnownSet of %d values: %v, want ErrKnown", len(many), err)
	}
	if _, err := NewKnownSet(many[:MaxKnown]); err != nil {
		t.Errorf("NewKnownSet of %d values: %v", MaxKnown, err)
	}
	long := strings.Repeat("Geheim ", 20)
	_, err := NewKnownSet([]Known{{long, "secret"}})
	if !errors.Is(err, ErrKnown) || strings.Contains(err.Error(), "Geheim") {
		t.Errorf("NewKnownSet of a long value: %v, want ErrKnown without the value", err)
	}
}

func TestEveryKnownValueIsFound(t *testing.T) {
	e, known := engine(t), fiftyNames(t)
	for _, v := range known.vals {
		for _, text := range []string{v.Text, strings.ToUpper(v.Text), "x " + strings.ToLower(v.Text) + " y", "(" + v.Text + ")", v.Text + ", " + clean(40)} {
			fs, err := e.Find(ctx, text, known)
			if err != nil || len(fs) != 1 || fs[0].Known != v.Text {
				t.Errorf("Find(%q) = %+v, %v, want %q", text, fs, err, v.Text)
			}
		}
	}
}

// FuzzKnown: any value that is long enough is found in the middle of a text, whatever its case, and nothing panics.
func FuzzKnown(f *testing.F) {
	for _, v := range []string{"Alice Johnson", "田中太郎", "O'Brien", "+1 415", "ﬁ ß İ", "x@y.z", "a-b c_d"} {
		f.Add(v, "some other text")
	}
	e := engine(f)
	f.Fuzz(func(t *testing.T, value, text string) {
		known, err := NewKnownSet([]Known{{value, flow.Label("person/name")}})
		if err != nil {
			return
		}
		if _, err := e.Find(ctx, text+" "+value+" "+text, known); err != nil {
			t.Fatal(err)
		}
		replay(t, e, known, text+" "+value+" "+text, func() int { return 7 })
	})
}

// What is known under a mild label is still what it looks like.
func TestKnownValueIsAsStrictAsItLooks(t *testing.T) {
	known := knownSet(t, Known{"alice@example.org", "business/category"}, Known{"+1 415 555 0199", "business/quantity"}, Known{"bob@example.org", "finance/iban"})
	for text, want := range map[string]flow.Label{
		"to alice@example.org": "person/contact/email", "at +1 415 555 0199.": "person/contact/phone", "to bob@example.org": "finance/iban",
	} {
		found, err := engine(t).Find(t.Context(), text, known)
		if err != nil || len(found) != 1 || found[0].Label != want || found[0].Type != KnownValue {
			t.Errorf("Find(%q) = %v, %v; want one known value of %s", text, found, err, want)
		}
	}
}

// Each is never blind where Find sees: whatever known value Find finds in a text is among those that Each tells of.
func TestEachTellsWhatFindFinds(t *testing.T) {
	e, known := engine(t), someKnown(t)
	r := rand.New(rand.NewPCG(1, 2))
	pieces := []string{"Alice", " ", "Marie", "Johnson", "JOHNSON's", "x", "@", "+1 415 555 0199", ".", "José", "Núñez", "田中", "太郎", "’", "(", "-", "_", "7", "https://a.example/", "johnson@example.com", "Young", "bluebird (phase 2)", "project ", "\u00a0", "=", "\xff", "İ", "2026-11-01"}
	for range 20_000 {
		var b strings.Builder
		for range 1 + r.IntN(8) {
			b.WriteString(pieces[r.IntN(len(pieces))])
		}
		checkEach(t, e, b.String(), known)
	}
}

func checkEach(t *testing.T, e *Engine, text string, known *KnownSet) {
	t.Helper()
	found, err := e.Find(t.Context(), text, known)
	if err != nil {
		t.Fatal(err)
	}
	told := map[string]bool{}
	known.Each(text, func(k Known) { told[k.Text] = true })
	for _, f := range found {
		if f.Known != "" && !told[f.Known] {
			t.Errorf("Find(%q) finds %q, Each tells of %v", text, f.Known, told)
		}
	}
}

func FuzzEachTellsWhatFindFinds(f *testing.F) {
	f.Add("Dr. Johnson’s office, ALICE marie\njohnson, x@johnson.example")
	f.Add("担当は田中太郎です José Núñez")
	f.Fuzz(func(t *testing.T, text string) { checkEach(t, engine(t), text, someKnown(t)) })
}
