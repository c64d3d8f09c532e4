package deidentify_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/privacy/deidentify"
)

var taxonomy = flow.DefaultTaxonomy()

func class(t testing.TB, l flow.Label) flow.Class {
	t.Helper()
	c, ok := taxonomy.Class(l)
	if !ok {
		t.Fatalf("taxonomy has no %s", l)
	}
	return c
}

func str(s string) deidentify.Scalar {
	return deidentify.Scalar{Kind: deidentify.String, Text: s}
}

func num(s string) deidentify.Scalar {
	return deidentify.Scalar{Kind: deidentify.Number, Text: s}
}

func cities(t testing.TB) deidentify.Hierarchies {
	t.Helper()
	h, err := deidentify.Hierarchies{}.With("location/city", strings.NewReader("Boston,Massachusetts,US\nCambridge,Massachusetts,US\nLyon,Rhône,FR\n"))
	if err != nil {
		t.Fatal(err)
	}
	h, err = h.With("work/title", strings.NewReader("Nurse;Care;Any\nSurgeon;Care;Any\n7;10;100\n"))
	if err != nil {
		t.Fatal(err)
	}
	return h
}

func TestGeneralize(t *testing.T) {
	h := cities(t)
	for _, tt := range []struct {
		label flow.Label
		param flow.Param
		in    deidentify.Scalar
		want  string
	}{
		{"person/birth-date", "day", str("1980-03-04T23:30:00-08:00"), "1980-03-04"},
		{"person/birth-date", "month", str("1980-03-04"), "1980-03"},
		{"person/birth-date", "quarter", str("1980-03-04"), "1980-Q1"},
		{"person/birth-date", "", str("1980-03-04"), "1980"},
		{"person/birth-date", "decade", str("1980-03-04"), "1980s"},
		{"person/birth-date", "month", str("1980"), "1980"},
		{"person/birth-date", "month", str("1980s"), "1980s"},
		{"person/birth-date", "month", str("1980-Q3"), "1980-Q3"},
		{"person/birth-date", "year", str("Q3 1980"), "1980"},
		{"person/birth-date", "day", str("19800304"), "1980-03-04"},
		{"person/birth-date", "day", str("1980/3/4"), "1980-03-04"},
		{"person/birth-date", "day", str("1980.03.04"), "1980-03-04"},
		{"person/birth-date", "day", str("31/12/1980"), "1980-12-31"},
		{"person/birth-date", "day", str("12/31/1980 11:59 PM"), "1980-12-31"},
		{"person/birth-date", "day", str("4/4/1980"), "1980-04-04"},
		{"person/birth-date", "day", str("03/04/1980"), "1980"},
		{"person/birth-date", "day", str("3.4.1980"), "1980-04-03"},
		{"person/birth-date", "day", str("3 March 1980"), "1980-03-03"},
		{"person/birth-date", "day", str("Mon, 03 Mar 1980 10:00:00 GMT"), "1980-03-03"},
		{"person/birth-date", "day", str("March 3rd, 1980"), "1980-03-03"},
		{"person/birth-date", "day", str("3. März 1980"), "1980-03-03"},
		{"person/birth-date", "day", str("03-Mar-1980"), "1980-03-03"},
		{"person/birth-date", "day", str("le 1er août 1980"), "1980-08-01"},
		{"person/birth-date", "day", str("une fois en août 1980"), "[birth date]"},
		{"person/birth-date", "day", str("Sept 1980"), "1980-09"},
		{"person/birth-date", "day", str("1980-02-30"), "[birth date]"},
		{"person/birth-date", "day", str("31.11.1980"), "[birth date]"},
		{"person/birth-date", "day", str("3/25/80"), "[birth date]"},
		{"person/birth-date", "day", str("born 1980-03-04"), "[birth date]"},
		{"person/birth-date", "day", str("Jane Doe"), "[birth date]"},
		{"person/birth-date", "bucket:10", str("1980-03-04"), "[birth date]"},
		{"person/birth-date", "year", num("1984"), "1984"},
		{"person/birth-date", "decade", num("1984"), "1980"},
		{"person/birth-date", "month", num("19840317"), "19840301"},
		{"person/birth-date", "quarter", num("19840317"), "19840101"},
		{"person/birth-date", "decade", num("19840317"), "19800101"},
		{"time/event", "day", num("1700000000"), "1699920000"},
		{"time/event", "year", num("1700000000123"), "1672531200000"},
		{"time/event", "year", num("1.7e9"), "null"},
		{"time/event", "year", num("17"), "null"},

		{"person/age", "", num("47"), "40"},
		{"person/age", "bucket:5", num("103"), "90"},
		{"person/age", "round:10", str("45 years"), "50 years"},
		{"finance/amount", "", num("1234.56"), "1200"},
		{"finance/amount", "", num("-0.01"), "-100"},
		{"finance/amount", "", num("-0.0"), "0"},
		{"finance/amount", "", num("-100"), "-100"},
		{"finance/amount", "bucket:1000", num("-123456789012345678901234567890.5"), "-123456789012345678901234568000"},
		{"finance/amount", "bucket:100", num("1.23456E5"), "123400"},
		{"finance/amount", "bucket:100", num("1e-300"), "0"},
		{"finance/amount", "bucket:100", num("1e999999"), "null"},
		{"finance/amount", "bucket:0", num("42"), "null"},
		{"finance/amount", "round:100", num("1250"), "1300"},
		{"finance/amount", "round:100", num("-1250"), "-1300"},
		{"finance/amount", "round:100", num("1249.999999999999999999"), "1200"},
		{"finance/amount", "round:3", num("1.5"), "3"},
		{"finance/amount", "round:3", num("1.49"), "0"},
		{"finance/amount", "", str("$1,234.50"), "$1200"},
		{"finance/amount", "", str("1.234,50 €"), "1200 €"},
		{"finance/amount", "", str("USD 1234"), "USD 1200"},
		{"finance/amount", "", str("1,234"), "[amount]"},
		{"finance/amount", "", str("1234 Jane"), "[amount]"},
		{"finance/amount", "", str("ten"), "[amount]"},
		{"health/lab-result", "", str("126 mg/dL"), "120 mg/dL"},

		{"location/postal", "", str("02139"), "021**"},
		{"location/postal", "", str("02139-4307"), "021**"},
		{"location/postal", "prefix:4", str("sw1a 1aa"), "SW1A**"},
		{"location/postal", "prefix:16", str("02139"), "0213**"},
		{"location/postal", "prefix:2", str("021**"), "02**"},
		{"location/postal", "", str("Boston"), "[postal code]"},
		{"location/postal", "", num("2139"), "null"},
		{"health/diagnosis", "", str("E11.9"), "E11"},
		{"health/diagnosis", "prefix:4", str("E11.91"), "E11.9"},
		{"health/diagnosis", "", str("e11"), "E11"},
		{"health/diagnosis", "", str("Diabetes"), "[diagnosis]"},
		{"health/diagnosis", "", str("E11.9 Type 2 diabetes"), "[diagnosis]"},
		{"health/procedure", "", num("99213"), "992"},
		{"technical/ip", "", str("203.0.113.9"), "203.0.113.0/24"},
		{"technical/ip", "net:16", str("203.0.113.9:443"), "203.0.0.0/16"},
		{"technical/ip", "net:28", str("203.0.113.0/24"), "203.0.113.0/24"},
		{"technical/ip", "", str("2001:db8:1:2:3::9"), "2001:db8:1::/56"},
		{"technical/ip", "net:28", str("2001:db8:1:2:3::9"), "2001:db8:1:2::/64"},
		{"technical/ip", "", str("fe80::1%eth0"), "fe80::/56"},
		{"technical/ip", "", str("::ffff:203.0.113.9"), "203.0.113.0/24"},
		{"technical/ip", "", str("host.example"), "[ip]"},

		{"location/city", "up:1", str(" boston "), "Massachusetts"},
		{"location/city", "up:2", str("Boston"), "US"},
		{"location/city", "up:16", str("Boston"), "US"},
		{"location/city", "up:1", str("Paris"), "[city]"},
		{"location/country", "up:1", str("US"), "[country]"},
		{"location/city", "", str("Boston"), "[city]"},
		{"work/title", "up:1", num("7"), "10"},
		{"work/title", "up:1", deidentify.Scalar{Kind: deidentify.Bool, Text: "true"}, "null"},
	} {
		got, err := deidentify.Apply(class(t, tt.label), flow.Treatment{Level: flow.Generalized, Param: tt.param}, tt.in, h)
		if err != nil {
			t.Fatal(err)
		}
		if show(got) != tt.want {
			t.Errorf("%s %s of %q = %s, want %s", tt.label, tt.param, tt.in.Text, show(got), tt.want)
		}
		if got.Kind != tt.in.Kind && got.Kind != deidentify.Null {
			t.Errorf("%s %s of %q changed its type", tt.label, tt.param, tt.in.Text)
		}
	}
}

func show(s deidentify.Scalar) string {
	if s.Kind == deidentify.Null {
		return "null"
	}
	return s.Text
}

func TestMask(t *testing.T) {
	for _, tt := range []struct {
		label flow.Label
		param flow.Param
		in    deidentify.Scalar
		want  string
	}{
		{"person/contact/email", "", str("jane.doe@example.org"), "[email]"},
		{"person/contact/email", "keep:2", str("jane.doe@example.org"), "ja***"},
		{"person/contact/email", "keep:4", str("jo@example.org"), "[email]"},
		{"finance/card", "keep:4", str("4111 1111 1111 1234"), "***1234"},
		{"finance/card", "keep:4", num("4111111111111234"), "null"},
		{"government-id/ssn", "keep:4", str("078-05-1120"), "***120"},
		{"person/name", "keep:1", str("Jane"), "J***"},
		{"person/name", "keep:4", str("José Álvarez"), "Jos***"},
		{"person/name", "keep:4", str("Jo"), "[person]"},
		{"person/name", "keep:9", str("Maximilian Musterman"), "[person]"},
		{"person/birth-date", "", str("1980-03-04"), "[birth date]"},
		{"person/birth-date", "keep:4", str("1980-03-04"), "[birth date]"},
		{"person/age", "", num("42"), "null"},
		{"health/disability", "", deidentify.Scalar{Kind: deidentify.Bool, Text: "true"}, "null"},
		{"unlabelled", "", str("x"), "[value]"},
	} {
		got, err := deidentify.Apply(class(t, tt.label), flow.Treatment{Level: flow.Masked, Param: tt.param}, tt.in, deidentify.Hierarchies{})
		if err != nil {
			t.Fatal(err)
		}
		if show(got) != tt.want {
			t.Errorf("%s masked(%s) of %q = %s, want %s", tt.label, tt.param, tt.in.Text, show(got), tt.want)
		}
	}
}

func TestPlaceholderIsPlain(t *testing.T) {
	for word, want := range map[string]string{
		"": "[value]", "Tax ID": "[tax id]", "model 3": "[model]", "]x[": "[x]", "naïve": "[nave]", " - ": "[value]", strings.Repeat("ab ", 40): "[" + strings.Repeat("ab ", 10)[:29] + "]",
	} {
		if got := deidentify.Placeholder(flow.Class{Word: word}); got != want {
			t.Errorf("Placeholder(%q) = %s, want %s", word, got, want)
		}
	}
}

func TestApplyLeavesTheRestToTheCaller(t *testing.T) {
	email := class(t, "person/contact/email")
	for _, l := range []flow.Level{flow.Dropped, flow.Tokenized} {
		got, err := deidentify.Apply(email, flow.Treatment{Level: l}, str("a@b.c"), deidentify.Hierarchies{})
		if !errors.Is(err, deidentify.ErrNotHere) || got != (deidentify.Scalar{}) {
			t.Errorf("Apply(%s) = %v, %v, want null and ErrNotHere", l, got, err)
		}
	}
	raw, err := deidentify.Apply(email, flow.Treatment{Level: flow.Raw}, str("a@b.c"), deidentify.Hierarchies{})
	if err != nil || raw != str("a@b.c") {
		t.Errorf("raw = %v, %v, want it unchanged", raw, err)
	}
	// A level of the other family masks.
	masked, err := deidentify.Apply(email, flow.Treatment{Level: flow.Generalized, Param: "up:1"}, str("a@b.c"), deidentify.Hierarchies{})
	if err != nil || masked != str("[email]") {
		t.Errorf("generalized e-mail = %v, %v, want the placeholder", masked, err)
	}
	null, err := deidentify.Apply(email, flow.Treatment{Level: flow.Masked}, deidentify.Scalar{}, deidentify.Hierarchies{})
	if err != nil || null.Kind != deidentify.Null {
		t.Errorf("masked null = %v, %v, want null", null, err)
	}
}

func TestHierarchyMustBeATree(t *testing.T) {
	for name, text := range map[string]string{
		"empty":               "",
		"one column":          "a\n",
		"ragged":              "a,b,c\nd,e\n",
		"two parents":         "a,b\nA,c\n",
		"ancestor that forks": "a,x,p\nb,x,q\n",
		"blank":               "a, ,c\n",
		"too deep":            strings.Repeat("a,", 20) + "a\n",
	} {
		if _, err := (deidentify.Hierarchies{}).With("location/city", strings.NewReader(text)); !errors.Is(err, deidentify.ErrHierarchy) {
			t.Errorf("%s: With() error = %v, want ErrHierarchy", name, err)
		} else if strings.Contains(err.Error(), "fork") {
			t.Errorf("%s: the error holds a value", name)
		}
	}
}

func ExampleApply() {
	born, _ := flow.DefaultTaxonomy().Class("person/birth-date")
	value := deidentify.Scalar{Kind: deidentify.String, Text: "4 March 1980"}
	for _, p := range []flow.Param{"month", "year", "decade"} {
		got, _ := deidentify.Apply(born, flow.Treatment{Level: flow.Generalized, Param: p}, value, deidentify.Hierarchies{})
		fmt.Println(got.Text)
	}
	// Output:
	// 1980-03
	// 1980
	// 1980s
}
