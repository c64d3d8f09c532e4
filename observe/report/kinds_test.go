package report_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/gateway/gatewaytest"
	"github.com/scrimhq/scrim/observe/report"
	"github.com/scrimhq/scrim/policy"
)

func (w *ward) settings() report.Settings {
	return report.Settings{
		Controller: report.Contact{Name: "Hospital"},
		Domains:    map[flow.DomainID]report.Domain{gatewaytest.Other: {Contact: report.Contact{Name: "Insurer", Address: "1 Elm Street"}, Country: "US", Role: "service-provider", Category: "insurers"}},
		Purposes:   map[flow.Purpose]report.Purpose{"payment": {Title: "Payment", Basis: []string{"dpv:Contract"}, People: "patients"}},
	}
}

// Every kind of report can be counted again, and shows what it says in all its forms.
func TestEveryReportCountsAgain(t *testing.T) {
	w, q := busy(t)
	ref := w.Vault.Subject("", "p-1")
	for _, kind := range report.Kinds() {
		t.Run(string(kind), func(t *testing.T) {
			w.t = t
			h := w.house()
			h.Settings = w.settings()
			q := report.Query{Kind: kind, From: q.From, To: q.To}
			if kind == report.Access {
				q.Of, q.Unit = &ref, "patient"
			}
			d, err := report.Make(t.Context(), h, q)
			if err != nil {
				t.Fatal(err)
			}
			f := w.encoded(d)
			if kind := w.stranger(f.JSON); kind != "" {
				t.Errorf("scrim-verify says %q", kind)
			}
			if again, err := report.Decode(f.JSON); err != nil || !again.Shows(f.HTML) || !again.Shows(f.CSV) {
				t.Errorf("Decode() = %v; the forms do not show it", err)
			}
			if len(d.Missing) == 0 {
				t.Error("nothing is left for a person to add")
			}
			for _, value := range []string{"p-1", "E11.9", "2026-02-11"} {
				if bytes.Contains(f.JSON, []byte(value)) {
					t.Errorf("a value is in the report: %s", value)
				}
			}
		})
	}
	w.t = t
	for _, bad := range []report.Query{{Kind: "sox"}, {Kind: report.Access}, {Kind: report.ROPA, Of: &ref}, {Kind: report.DPIA, From: q.To, To: q.From}} {
		if _, err := report.Make(t.Context(), w.house(), bad); !errors.Is(err, report.ErrKind) && !errors.Is(err, report.ErrOf) && !errors.Is(err, report.ErrTimes) {
			t.Errorf("Make(%s) = %v, want a refusal", bad.Kind, err)
		}
	}
}

// A person is told every message that showed something about them and no other, with proofs that hold without the log too.
func TestWhatWasDisclosedAboutOne(t *testing.T) {
	w, q := busy(t)
	ref := w.Vault.Subject("", "p-2")
	h := w.house()
	h.Settings = w.settings()
	make := func(kind report.Kind) *report.Document {
		d, err := report.Make(t.Context(), h, report.Query{Kind: kind, From: q.From, To: q.To, Of: &ref, Unit: "patient"})
		if err != nil {
			t.Fatal(err)
		}
		return d
	}
	d := make(report.Access)
	got := told(section(d, "disclosures"))
	var want []string
	for i, at := range []time.Time{q.From, q.From.Add(time.Hour)} {
		for _, what := range []string{"Diagnosis (health/diagnosis) | raw | 1 | codes", "Date of a visit (health/visit-date) | generalized | 1 | days"} {
			want = append(want, fmt.Sprintf("%d | %s | other | Insurer, 1 Elm Street | payer | payment | %s | dpv:Contract", section(d, "disclosures").Rows[2*i][1].Entry, at.Format(time.RFC3339), what))
		}
	}
	same(t, "disclosures", got, want...)
	same(t, "in short", told(section(d, "summary")),
		"Insurer (other) | payer | Payment (payment) | Diagnosis (health/diagnosis) | raw | 2 | 2 | 2026-03-03 | 2026-03-03",
		"Insurer (other) | payer | Payment (payment) | Date of a visit (health/visit-date) | generalized | 2 | 2 | 2026-03-03 | 2026-03-03")
	if n := len(d.Log.Trees[0].Proofs); n < 3 {
		t.Errorf("%d entries are proven, want each that is told of", n)
	}
	good := w.encoded(d)
	for name, change := range map[string]func(row []report.Cell){
		"a recipient":   func(row []report.Cell) { row[4].Text = "lab" },
		"a time":        func(row []report.Cell) { row[1].Text = "2026-03-03T08:59:59Z" },
		"a number":      func(row []report.Cell) { row[8].Text = "9" },
		"another level": func(row []report.Cell) { row[8].At = "levels=health/diagnosis tokenized" },
		"a purpose":     func(row []report.Cell) { row[5].Text = "research" },
		"another entry": func(row []report.Cell) {
			for i := range row {
				if row[i].Entry != 0 {
					row[i].Entry++
				}
			}
		},
	} {
		d, err := report.Decode(good.JSON)
		if err != nil {
			t.Fatal(err)
		}
		change(section(d, "disclosures").Rows[0])
		if kind := w.stranger(w.encoded(d).JSON); kind != "figures" {
			t.Errorf("%s was changed: scrim-verify says %q", name, kind)
		}
	}
	for name, change := range map[string]func(d *report.Document){
		"what the data are":    func(d *report.Document) { section(d, "disclosures").Rows[0][6].Text = "Weather" },
		"how they were shown":  func(d *report.Document) { section(d, "disclosures").Rows[0][7].Text = "masked" },
		"which entry it is":    func(d *report.Document) { section(d, "disclosures").Rows[0][0].Text = "1" },
		"a recipient for text": func(d *report.Document) { section(d, "disclosures").Rows[0][4] = report.Cell{Text: "nobody"} },
		"a sum":                func(d *report.Document) { section(d, "summary").Rows[0][5].Text = "1" },
		"sums":                 func(d *report.Document) { section(d, "summary").Rows = section(d, "summary").Rows[1:] },
		"how many messages": func(d *report.Document) {
			s := section(d, "disclosures")
			s.Text[1] = strings.Replace(s.Text[1], "2 messages", "0 messages", 1)
		},
		"the time of it": func(d *report.Document) { d.From = d.From.Add(30 * time.Minute) },
	} {
		d, err := report.Decode(good.JSON)
		if err != nil {
			t.Fatal(err)
		}
		change(d)
		if kind := w.stranger(w.encoded(d).JSON); kind != "figures" && (name != "the time of it" || kind != "absent") {
			t.Errorf("%s was changed: scrim-verify says %q", name, kind)
		}
	}

	d = make(report.Disclosures)
	if n := len(told(section(d, "disclosures"))); n != 4 {
		t.Errorf("%d disclosures to account for, want 4", n)
	}
	payment := h.Settings.Purposes["payment"]
	payment.HIPAA = "payment"
	h.Settings.Purposes["payment"] = payment
	d = make(report.Disclosures)
	if got := told(section(d, "disclosures")); len(got) != 0 {
		t.Errorf("disclosures for payment need no accounting, and the report tells %q", got)
	}
	same(t, "exempt", told(section(d, "exempt")), "payment | (i) payment, 164.506 | 3")

	if err := w.Vault.Erase(t.Context(), ref); err != nil {
		t.Fatal(err)
	}
	d = make(report.Access)
	if got := told(section(d, "disclosures")); len(got) != 0 {
		t.Errorf("the person was erased, and the report tells %q", got)
	}
}

// A legal basis is that of the policies that decided, though others are in force now.
func TestLegalBasisIsOfItsTime(t *testing.T) {
	w, q := busy(t)
	h := w.house()
	hash := h.Policy.Hash()
	set, err := policy.Load(fstest.MapFS{"old.cedar": {Data: []byte(`
		@id("days") @legal_basis("dpv:Consent") @retain("P7D") permit (principal, action in Action::"upto_generalized", resource in DataClass::"health/visit-date");
		@id("codes") @legal_basis("dpv:LegalObligation") permit (principal, action in Action::"upto_raw", resource in DataClass::"health/diagnosis");`)}}, policy.Options{})
	if err != nil {
		t.Fatal(err)
	}
	h.Policy = set // in force now, and not what decided
	made := func() string {
		d, err := report.Make(t.Context(), h, report.Query{Kind: report.ROPA, From: q.From, To: q.To})
		if err != nil {
			t.Fatal(err)
		}
		return fmt.Sprint(told(section(d, "activities")), d.Missing)
	}
	if got := made(); strings.Contains(got, "dpv:Consent") || !strings.Contains(got, "not kept any more") {
		t.Errorf("the policies that decided are not known, and the report says %s", got)
	}
	asked := 0
	h.Policy, h.Sets = nil, func(_ context.Context, of string) (*policy.Set, error) {
		if asked++; of != hash {
			t.Errorf("the policies of %q were asked for", of)
		}
		return set, nil
	}
	if got := made(); !strings.Contains(got, "dpv:Consent; dpv:LegalObligation") || !strings.Contains(got, "7 days") || strings.Contains(got, "not kept any more") || asked != 1 {
		t.Errorf("the policies that decided were looked up %d times, and the report says %s", asked, got)
	}
}

// An accounting of all says by day what went out for purposes that need one.
func TestAccountingOfDisclosures(t *testing.T) {
	w, q := busy(t)
	h := w.house()
	h.Settings = w.settings()
	d, err := report.Make(t.Context(), h, report.Query{Kind: report.Disclosures, To: q.To})
	if err != nil {
		t.Fatal(err)
	}
	if years := q.To.Year() - d.From.Year(); years != 6 {
		t.Errorf("the accounting looks back %d years, want 6", years)
	}
	got := told(section(d, "disclosures"))
	same(t, "by day", got,
		"2026-03-02 | Insurer (other) | 1 Elm Street | payer | Payment (payment) | Diagnosis (health/diagnosis) | 1",
		"2026-03-02 | Insurer (other) | 1 Elm Street | payer | Payment (payment) | Date of a visit (health/visit-date) | 1",
		"2026-03-03 | Insurer (other) | 1 Elm Street | lab | Payment (payment) | Date of a visit (health/visit-date) | 1",
		"2026-03-03 | Insurer (other) | 1 Elm Street | payer | Payment (payment) | Diagnosis (health/diagnosis) | 3",
		"2026-03-03 | Insurer (other) | 1 Elm Street | payer | Payment (payment) | Date of a visit (health/visit-date) | 4")
	if kind := w.stranger(w.encoded(d).JSON); kind != "" {
		t.Errorf("scrim-verify says %q", kind)
	}
	for i := range d.Counts {
		if c := &d.Counts[i]; c.ID != "exempt" { // leaves payment out, and does not list it as exempt
			c.Where, c.Figures = append(c.Where, report.Where{At: "flow.purpose", Not: []string{"payment"}}), []report.Figure{}
		}
	}
	for i := range d.Sections {
		d.Sections[i].Rows = [][]report.Cell{}
	}
	if kind := w.stranger(w.encoded(d).JSON); kind != "figures" {
		t.Errorf("a purpose is neither accounted for nor exempt: scrim-verify says %q", kind)
	}
}

// A country that is not stated, a third one without a safeguard and a role that nobody stated are for a person to add.
func TestWhatIsMissing(t *testing.T) {
	w, q := busy(t)
	h := w.house()
	missing := func(kind report.Kind) string {
		d, err := report.Make(t.Context(), h, report.Query{Kind: kind, From: q.From, To: q.To})
		if err != nil {
			t.Fatal(err)
		}
		return fmt.Sprint(d.Missing)
	}
	for _, want := range []string{"country that domain \"other\"", "processor"} {
		if got := missing(report.Transfers); !strings.Contains(got, want) {
			t.Errorf("it does not say that %s is missing: %s", want, got)
		}
	}
	h.Settings = w.settings()
	got := missing(report.Transfers)
	if !strings.Contains(got, `transfers to "other" in US rest on`) || strings.Contains(got, "processor") {
		t.Errorf("missing: %s", got)
	}
	if got := missing(report.CCPA); strings.Contains(got, "third party") {
		t.Errorf("the role is stated, and the report asks for it: %s", got)
	}
}
