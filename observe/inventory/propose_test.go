package inventory

import (
	"context"
	"reflect"
	"strings"
	"testing"

	"github.com/scrimhq/scrim/data/catalog"
	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/privacy/detect/column"
)

// labels is a classifier that knows columns by their names.
type labels map[string]column.Guess

func (l labels) Table(_ context.Context, cols []column.Column) [][]column.Guess {
	out := make([][]column.Guess, len(cols))
	for i, c := range cols {
		if g, ok := l[c.Table+"."+c.Name]; ok {
			out[i] = []column.Guess{g}
		} else if g, ok := l[c.Name]; ok {
			out[i] = []column.Guess{g}
		}
	}
	return out
}

var known = labels{
	"mail":        {Label: "person/contact/email", Confidence: 97, Evidence: []column.Evidence{{What: "form email", Matched: 2, Of: 2}}},
	"patients.id": {Label: "health/record-number", Confidence: 80, Unit: "patient"},
	"contact_id":  {Label: "health/record-number", Confidence: 80, Unit: "contact"},
	"staff.id":    {Label: "organization/employee-id", Confidence: 90, Unit: "employee"},
	"weak":        {Label: "person/name", Confidence: 30},
	"price":       {Label: flow.PublicData, Confidence: 99},
}

func proposed(t *testing.T, inv *Inventory) *catalog.Contract {
	t.Helper()
	c, err := inv.Contract(Proposal{ID: "clinic"})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func scanned(t *testing.T, c Classifier, statements ...string) *Inventory {
	t.Helper()
	inv, err := Scan(t.Context(), SQLite(liteFile(t, statements...)), c, Options{})
	if err != nil {
		t.Fatal(err)
	}
	return inv
}

var house = []string{
	`CREATE TABLE patients (id INTEGER PRIMARY KEY, mail TEXT, weak TEXT, price REAL, physician INTEGER REFERENCES staff)`,
	`INSERT INTO patients VALUES (1, 'canary@example.org', 'x', 2.5, 1), (2, 'b@example.org', 'y', 3, 1)`,
	`CREATE TABLE staff (id INTEGER PRIMARY KEY)`,
	`CREATE TABLE visits (no INTEGER PRIMARY KEY, patient INTEGER REFERENCES patients, mail TEXT)`,
	`CREATE TABLE findings (visit INTEGER REFERENCES visits (no), patient INTEGER REFERENCES patients (id), code TEXT)`,
	`CREATE TABLE contacts (contact_id INTEGER PRIMARY KEY, patient INTEGER REFERENCES patients)`,
	`CREATE TABLE transfers (giver INTEGER REFERENCES patients, taker INTEGER REFERENCES patients)`,
	"CREATE TABLE \"a/b\"\"; drop table patients; --\n\x1b[31m\" (\"x/y\" TEXT, \"x.y\" TEXT, \"\x1b]0;t\x07\" TEXT, \"MAIL\" TEXT)",
}

func TestContractIsForReview(t *testing.T) {
	c := proposed(t, scanned(t, known, house...))
	if c.Status != "draft" || len(c.Datasets) != 7 {
		t.Fatalf("status %q, %d datasets; want a draft of 7", c.Status, len(c.Datasets))
	}
	p, _ := c.Dataset("patients")
	for name, want := range map[string]flow.Label{"mail": "person/contact/email", "weak": flow.Unlabelled, "price": flow.Unlabelled} {
		if f, ok := c.Field("patients/" + name); !ok || f.Label != want {
			t.Errorf("%s is labelled %q, want %q", name, f.Label, want)
		}
	}
	if p.UnitColumn != "id" || p.Unit != "patient" {
		t.Errorf("unit of patients: %q %q", p.UnitColumn, p.Unit)
	}
	for name, want := range map[string]string{"visits": "patient", "findings": "patient", "contacts": "patient", "staff": "id", "transfers": ""} {
		if d, _ := c.Dataset(name); d.UnitColumn != want {
			t.Errorf("the unit column of %s is %q, want %q", name, d.UnitColumn, want)
		}
	}
	if f, _ := c.Field("visits/patient"); f.References != "patients/id" {
		t.Errorf("visits/patient refers to %q", f.References)
	}
	out := string(c.AppendYAML(nil))
	if strings.Contains(out, "canary") || strings.ContainsAny(out, "\x1b\x07") {
		t.Error("the contract holds a value or a control character")
	}
	if again, err := catalog.ParseContract("again", []byte(out), nil); err != nil || again.Datasets[0].PhysicalName == "" {
		t.Errorf("reading the contract again: %v", err)
	}
}

func TestSameDataMakeTheSameContract(t *testing.T) {
	inv := scanned(t, known, house...)
	one, two := proposed(t, inv), proposed(t, scanned(t, known, house...))
	if !reflect.DeepEqual(one.Datasets, two.Datasets) {
		t.Error("two scans of the same data propose different contracts")
	}
	if d := inv.Diff(one, Proposal{}); len(d) > 0 {
		t.Errorf("the same data differ: %v", d)
	}
}

func TestDiffShowsWhatChanged(t *testing.T) {
	before := []string{
		`CREATE TABLE patients (id INTEGER PRIMARY KEY, mail TEXT, phone TEXT, note TEXT, decided TEXT, kept TEXT)`, `CREATE TABLE gone (x TEXT)`,
		`INSERT INTO patients VALUES (1, 'a', 'b', 'c', 'd', 'e')`,
	}
	after := []string{
		`CREATE TABLE patients (id BIGINT PRIMARY KEY, mail TEXT, note TEXT, decided TEXT, kept TEXT, ssn TEXT)`, `CREATE TABLE fresh (x TEXT)`,
		`INSERT INTO patients VALUES (1, 'a', 'b', 'c', 'd', 'e')`,
	}
	then := labels{"mail": known["mail"], "decided": {Label: "person/name", Confidence: 90}, "kept": {Label: "person/name", Confidence: 90}}
	now := labels{"mail": {Label: "person/name", Confidence: 90}, "note": {Label: "health/diagnosis", Confidence: 80}, "decided": {Label: "person/name", Confidence: 70}, "ssn": {Label: "health/record-number", Confidence: 90}}
	old := proposed(t, scanned(t, then, before...))
	raw := strings.Replace(string(old.AppendYAML(nil)), "status: draft", "status: active # reviewed", 1)
	d, err := catalog.ParseContract("old", []byte(raw), nil)
	if err != nil {
		t.Fatal(err)
	}
	reviewed := *d
	reviewed.Datasets = append([]catalog.Dataset(nil), d.Datasets...)
	for i := range reviewed.Datasets {
		fields := append([]catalog.Field(nil), reviewed.Datasets[i].Fields...)
		for j := range fields {
			if fields[j].Column == "decided" { // somebody knows better than the classifier
				fields[j].Label = "person/contact/email"
			}
		}
		reviewed.Datasets[i].Fields = fields
	}
	inv := scanned(t, now, after...)
	got := map[string]bool{}
	for _, c := range inv.Diff(&reviewed, Proposal{}) {
		got[c.String()] = true
	}
	for _, want := range []string{
		"gone: vanished", "fresh: new", "patients, column phone: vanished column", "patients, column ssn: new column: nothing → health/record-number",
		"patients, column id: type changed: INTEGER → BIGINT", "patients, column mail: label drift: person/contact/email → person/name",
		"patients, column note: label drift: unlabelled → health/diagnosis",
		"patients, column kept: label drift: person/name → nothing (content no longer speaks for it)",
	} {
		if !got[want] {
			t.Errorf("missing: %s", want)
		}
		delete(got, want)
	}
	for c := range got {
		t.Errorf("unexpected: %s", c)
	}
	updated, err := inv.Update(&reviewed, Proposal{})
	if err != nil {
		t.Fatal(err)
	}
	out := string(updated.AppendYAML(nil))
	if f, _ := updated.Field("patients/decided"); f.Label != "person/contact/email" || !strings.Contains(out, "# reviewed") || strings.Contains(out, "gone") || !strings.Contains(out, "ssn") {
		t.Errorf("the updated contract does not keep decisions, or what was found:\n%s", out)
	}
	if left := inv.Diff(updated, Proposal{}); len(left) != 3 {
		t.Errorf("after the update %v are left, want the three drifts until somebody decides", left)
	}
	if updated, err = inv.Update(&reviewed, Proposal{Accept: true}); err != nil {
		t.Fatal(err)
	}
	if left := inv.Diff(updated, Proposal{}); len(left) != 0 {
		t.Errorf("after it was accepted %v are left", left)
	}
}
