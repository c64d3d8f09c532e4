package column_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/privacy/detect"
	"github.com/scrimhq/scrim/privacy/detect/column"
)

// values makes n values of a template of the corpus.
func values(t testing.TB, template string, n int) []string {
	l := labelled{schema: t.Name()}
	l.fill(t, template, n, 0)
	return l.Values
}

// best is the label that is proposed for a column, "" for none.
func best(guesses []column.Guess) flow.Label {
	if len(guesses) == 0 || guesses[0].Confidence < proposed {
		return ""
	}
	return guesses[0].Label
}

func TestOneWordMeansWhatItsTableIsAbout(t *testing.T) {
	c := classifier(t)
	people := []column.Column{
		{Table: "clients", Name: "name", Values: values(t, "{given} {family}", 200)},
		{Table: "clients", Name: "email", Values: values(t, "{email en}", 200)},
		{Table: "clients", Name: "age", Values: values(t, "{int 18 90}", 200)},
		{Table: "clients", Name: "race", Values: values(t, "{pick White;Black;Asian}", 200)},
	}
	things := []column.Column{
		{Table: "parts", Name: "name", Values: values(t, "{part}", 200)},
		{Table: "parts", Name: "price", Values: values(t, "{dec 1 90 2}", 200)},
		{Table: "parts", Name: "age", Values: values(t, "{int 0 4000}", 200)},
		{Table: "parts", Name: "race", Values: values(t, "{pick inner;outer}", 200)},
	}
	for i, want := range []flow.Label{"person/name", "person/contact/email", "person/age", "special/ethnicity"} {
		if got := best(c.Table(context.Background(), people)[i]); got != want {
			t.Errorf("%s of people is %q, want %q", people[i].Name, got, want)
		}
	}
	for i, g := range c.Table(context.Background(), things) {
		if l := best(g); l.Within("person") || l.Within("special") {
			t.Errorf("%s of parts is %q", things[i].Name, l)
		}
	}
}

func TestCheckDigitsCountOnlyIfAChangedDigitFails(t *testing.T) {
	c := classifier(t)
	if got := best(c.Classify(context.Background(), column.Column{Name: "x", Values: values(t, "{kind pl-pesel}", 200)})); got != "government-id/national" {
		t.Errorf("numbers that all pass their check are %q, want government-id/national", got)
	}
	// Eleven digits are of the form of several countries' numbers, and one in ten passes some check.
	if got := best(c.Classify(context.Background(), column.Column{Name: "x", Values: values(t, "{###########}", 200)})); got != "" {
		t.Errorf("numbers at random are %q, want no proposal", got)
	}
	cards := c.Classify(context.Background(), column.Column{Name: "x", Values: values(t, "{luhn 4 16}", 200)})
	if best(cards) != "finance/card" || !slices.ContainsFunc(cards[0].Evidence, func(e column.Evidence) bool { return e.What == "check luhn" && e.Matched > 190 }) {
		t.Errorf("card numbers are %v, want finance/card by the Luhn check", cards)
	}
}

func TestValuesOverruleAName(t *testing.T) {
	c := classifier(t)
	for _, w := range []struct {
		name, template string
		not            flow.Label
	}{
		{"email", "{pick yes;no}", "person/contact/email"},
		{"email_verified", "{pick true;false}", "person/contact/email"},
		{"phone", "{pick home;work;mobile}", "person/contact/phone"},
		{"address", "0x{xxxxxxxx}", "person/contact/address"},
		{"ssn", "{pick open;closed}", "government-id/ssn"},
		{"birth_date", "{message}", "person/birth-date"},
		{"ip", "{product}", "technical/ip"},
		{"iban", "{given}", "finance/iban"},
		{"numGuests", "{int 1 6}", "organization/customer-id"},
	} {
		if got := best(c.Classify(context.Background(), column.Column{Name: w.name, Values: values(t, w.template, 100)})); got == w.not {
			t.Errorf("%s with values like %q is %q all the same", w.name, w.template, got)
		}
	}
}

func TestNamesAloneAndMildLabels(t *testing.T) {
	c := classifier(t)
	for name, want := range map[string]flow.Label{
		"patientDateOfBirth": "person/birth-date", "GEBURTSDATUM": "person/birth-date", "cust_email_addr": "person/contact/email", "fecha_nacimiento": "person/birth-date",
		"телефон": "person/contact/phone", "电话": "person/contact/phone", "kundennummer": "organization/customer-id", "mot_de_passe": "secret/password",
	} {
		if got := best(c.Classify(context.Background(), column.Column{Name: name})); got != want {
			t.Errorf("%s without values is %q, want %q", name, got, want)
		}
	}
	for _, template := range []string{"{pick A;B;C}", "{int 1 90000}", "{dec 1 9 3}", "{?}{?}{####}", "{alnum 24}"} {
		if got := best(c.Classify(context.Background(), column.Column{Name: "x17", Values: values(t, template, 300)})); got != "" {
			t.Errorf("x17 with values like %q is %q; want no proposal, since unlabelled is restricted", template, got)
		}
	}
}

// A form has many hands: who types an address into a field for something else must not have it shown as what the field's name says.
func TestStricterValuesCastDoubt(t *testing.T) {
	c := classifier(t)
	for _, strange := range []string{"{email en}", "{iban DE}", "{luhn 4 16}", "{ssn}"} {
		col := column.Column{Table: "orders", Name: "order_status", Values: append(values(t, "{pick open;paid;sent}", 200), values(t, strange, 10)...)}
		if got := best(c.Classify(context.Background(), col)); got != "" {
			t.Errorf("a column of words and values like %q is %q, want no proposal", strange, got)
		}
	}
	few := column.Column{Table: "orders", Name: "order_status", Values: append(values(t, "{pick open;paid;sent}", 200), values(t, "{email en}", 2)...)}
	if got := best(c.Classify(context.Background(), few)); got != "business/category" {
		t.Errorf("with two strange values of 202 it is %q, want business/category", got)
	}
}

// A hospital's database has wards and suppliers, too, and what they are called does not make them patients.
func TestKeysOfThings(t *testing.T) {
	c := classifier(t)
	ids := values(t, "{int 1 40}", 200)
	for _, col := range []column.Column{
		{Table: "clinic.stock", Name: "supplier_id", Type: "integer", References: "clinic.suppliers.supplier_id", Values: ids},
		{Table: "clinic.beds", Name: "ward_id", Type: "integer", References: "clinic.wards.ward_id", Values: ids},
		{Table: "clinic.staff", Name: "department_id", Type: "integer", References: "clinic.departments.department_id", Values: ids},
		{Table: "clinic.diagnoses", Name: "diagnosis_id", Type: "integer", Key: true, Values: values(t, "{serial}", 200)},
		{Table: "clinic.prescriptions", Name: "prescription_id", Type: "integer", Key: true, Values: values(t, "{serial}", 200)},
		{Table: "clinic.coverage", Name: "insurer_id", Type: "integer", References: "clinic.insurers.insurer_id", Values: ids},
		{Table: "clinic.insurers", Name: "insurer_id", Type: "integer", Key: true, Values: values(t, "{serial}", 60)},
		{Table: "clinic.insurers", Name: "payer_code", Type: "text", Values: values(t, "{?}{?}{###}", 60)},
		{Table: "clinic.documents", Name: "title", Type: "text", Values: values(t, "{pick Discharge letter;Referral;Consent form;X-ray report}", 200)},
	} {
		switch got := best(c.Classify(context.Background(), col)); got {
		case "", "technical/record-id", "business/category", "text/free":
		default:
			t.Errorf("%s.%s is %q", col.Table, col.Name, got)
		}
	}
	for _, col := range []column.Column{
		{Table: "clinic.visits", Name: "p", References: "clinic.patients.patient_id", Values: ids},
		{Table: "clinic.visits", Name: "patient_id", Values: ids},
	} {
		if got := best(c.Classify(context.Background(), col)); got != "health/record-number" {
			t.Errorf("%s.%s is %q, want health/record-number", col.Table, col.Name, got)
		}
	}
}

func TestUnits(t *testing.T) {
	c := classifier(t)
	cols := []column.Column{
		{Table: "patients", Name: "id", Key: true, Values: values(t, "{serial}", 100)},
		{Table: "patients", Name: "first_name", Values: values(t, "{given}", 100)},
		{Table: "patients", Name: "mrn", Values: values(t, "MRN{######}", 100)},
		{Table: "patients", Name: "city", Values: values(t, "{city.en}", 100)},
	}
	for i, want := range []string{"person", "", "person", ""} {
		if g := c.Table(context.Background(), cols)[i]; len(g) == 0 || g[0].Unit != want {
			t.Errorf("%s names %v, want %q", cols[i].Name, g, want)
		}
	}
	order := column.Column{Table: "orders", Name: "c", References: "public.customers.id", Values: values(t, "{int 1 90}", 100)}
	if g := c.Classify(context.Background(), order); best(g) != "organization/customer-id" || g[0].Unit != "person" {
		t.Errorf("a reference to customers is %v", g)
	}
	thing := column.Column{Table: "orders", Name: "id", Key: true, Values: values(t, "{serial}", 100)}
	if g := c.Classify(context.Background(), thing); len(g) == 0 || g[0].Unit != "" {
		t.Errorf("the key of orders is %v, want no unit", g)
	}
}

func TestRulesOfOnesOwn(t *testing.T) {
	tax, err := flow.DefaultTaxonomy().With([]flow.Class{{Label: "person/shoe-size", Tier: flow.Confidential, Family: flow.Attribute, Kind: flow.Text, Title: "Shoe size", Word: "size"}})
	if err != nil {
		t.Fatal(err)
	}
	e, err := detect.New(detect.Options{Taxonomy: tax, FormsOnly: true, Rules: &detect.Rules{Types: []detect.Custom{
		{Name: "shoe-size", Label: "person/shoe-size", Patterns: []string{"EU [0-9]{2}"}},
	}}})
	if err != nil {
		t.Fatal(err)
	}
	c, err := column.New(column.Options{Taxonomy: tax, Engine: e})
	if err != nil {
		t.Fatal(err)
	}
	got := c.Classify(context.Background(), column.Column{Name: "x", Values: values(t, "EU {int 35 47}", 100)})
	if best(got) != "person/shoe-size" || got[0].Evidence[0].What != "rule shoe-size" {
		t.Errorf("values that a rule finds are %v", got)
	}
}

func TestLabelsOfASmallTaxonomy(t *testing.T) {
	tax, err := flow.NewTaxonomy([]flow.Class{{Label: "person", Tier: flow.Confidential, Family: flow.Identifier, Kind: flow.Text, Title: "Person", Word: "person"}})
	if err != nil {
		t.Fatal(err)
	}
	c, err := column.New(column.Options{Taxonomy: tax})
	if err != nil {
		t.Fatal(err)
	}
	if got := best(c.Classify(context.Background(), column.Column{Name: "email"})); got != "person" {
		t.Errorf("email in a taxonomy without it is %q, want its parent", got)
	}
	if got := c.Classify(context.Background(), column.Column{Name: "iban", Values: values(t, "{iban DE}", 50)}); len(got) > 0 && got[0].Label != flow.Unlabelled {
		t.Errorf("iban in a taxonomy without it is %v, want unlabelled", got)
	}
}

// TestTimeIsLinear would fail by far if time grew with the square of a value, a name or a sample.
func TestTimeIsLinear(t *testing.T) {
	c := classifier(t)
	start := time.Now()
	for _, v := range []string{strings.Repeat("a", 1<<22), strings.Repeat("@", 1<<22), strings.Repeat("1-", 1<<21), strings.Repeat("ü", 1<<21), strings.Repeat("Anna ", 1<<20)} {
		col := column.Column{Table: v, Name: v, Type: v, References: v}
		for range 200 {
			col.Values = append(col.Values, v)
		}
		sane(t, col, c.Classify(context.Background(), col))
	}
	if d := time.Since(start); d > 30*time.Second {
		t.Errorf("200 values of four megabytes took %v, want well below a second each time", d)
	}
}

func BenchmarkFiftyColumns(b *testing.B) {
	templates := []string{"{given}", "{family}", "{email en}", "+49 30 {#######}", "{int 1 99} {street.en}", "{date 1940 2005 2006-01-02}", "{uuid}", "{dec 1 900 2}", "{message}", "{iban DE}"}
	var cols []column.Column
	for i := range 50 {
		cols = append(cols, column.Column{Table: "t", Name: fmt.Sprint("c", i), Values: values(b, templates[i%len(templates)], 2000)})
	}
	c := classifier(b)
	for b.Loop() {
		c.Table(context.Background(), cols)
	}
}
