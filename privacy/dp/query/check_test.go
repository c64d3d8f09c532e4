package query_test

import (
	"os"
	"strings"
	"testing"
	"time"

	"github.com/scrimhq/scrim/data/sql/relation"
	"github.com/scrimhq/scrim/data/sql/syntax"
	"github.com/scrimhq/scrim/privacy/dp/query"
)

// A declaration by which nothing could be answered soundly is refused, and what is missing is named.
func TestDeclarationsThatAreRefused(t *testing.T) {
	t.Parallel()
	patients, stays, visits, codes := 0, 1, 2, 3
	for _, c := range []struct {
		says   string
		change func(d *query.Dataset)
	}{
		{"no privacy unit", func(d *query.Dataset) { d.Unit = " " }},
		{"no table", func(d *query.Dataset) { d.Tables = nil }},
		{"window", func(d *query.Dataset) { d.Window = -time.Hour }},
		{"limit is negative", func(d *query.Dataset) { d.Limits.MostRows = -1 }},
		{"more than the most", func(d *query.Dataset) { d.Limits.Rows = 21 }},
		{"too large", func(d *query.Dataset) { d.Limits.MostCells = 1 << 30 }},
		{"declares no unit", func(d *query.Dataset) { d.Tables[stays].Unit = nil }},
		{"names no column", func(d *query.Dataset) { d.Tables[stays].Unit = []string{"nobody"} }},
		{"or one twice", func(d *query.Dataset) { d.Tables[stays].Unit = []string{"patient_id", "patient_id"} }},
		{"cannot name a unit", func(d *query.Dataset) { d.Tables[stays].Unit = []string{"admitted"} }},
		{"cannot name a unit", func(d *query.Dataset) { d.Tables[stays].Unit = []string{"cost"} }},
		{"not of the same kind", func(d *query.Dataset) { d.Tables[stays].Unit = []string{"diagnosis"} }},
		{"not of the same kind", func(d *query.Dataset) { d.Tables[stays].Unit = []string{"patient_id", "stay"} }},
		{"is public and has a unit", func(d *query.Dataset) { d.Tables[codes].Unit = []string{"level"} }},
		{"public tables alone", func(d *query.Dataset) { d.Tables = d.Tables[codes:] }},
		{"declared twice", func(d *query.Dataset) { d.Tables[codes].Name = "STAYS" }},
		{"declared twice", func(d *query.Dataset) { d.Tables[codes].Columns[0].Name = "Level" }},
		{"has no name", func(d *query.Dataset) { d.Tables[codes].Columns[0].Name = "" }},
		{"no name or no columns", func(d *query.Dataset) { d.Tables[codes].Columns = nil }},
		{"bounds", func(d *query.Dataset) { d.Tables[codes].Columns[2].Type.Min = 9 }},
		{"not of its type", func(d *query.Dataset) {
			d.Tables[codes].Columns[2].Values = []relation.Value{{Kind: relation.Number, Int: 9}}
		}},
		{"a value twice", func(d *query.Dataset) {
			d.Tables[patients].Columns[3].Values[1] = d.Tables[patients].Columns[3].Values[0]
		}},
		{"for its time", func(d *query.Dataset) { d.Tables[stays].Time = "never" }},
		{"is no date and no time", func(d *query.Dataset) { d.Tables[stays].Time = "age" }},
		{"not declared", func(d *query.Dataset) { d.Tables[visits].Via.To = "nothing" }},
		{"not alike", func(d *query.Dataset) { d.Tables[visits].Via.To = "diagnosis" }},
		{"public table", func(d *query.Dataset) {
			d.Tables[visits].Via = &query.Reference{Column: "kind", Table: "codes", To: "chapter"}
		}},
		{"circle", func(d *query.Dataset) {
			d.Tables[stays].Unit, d.Tables[stays].Via = nil, &query.Reference{Column: "stay", Table: "visits", To: "stay_id"}
		}},
		{"of its own and one that it refers to", func(d *query.Dataset) { d.Tables[visits].Unit = []string{"stay_id"} }},
		{"needs its own unit and a time", func(d *query.Dataset) { d.Window = time.Hour }},
	} {
		d := clinic()
		c.change(d)
		err := d.Check()
		if err == nil || !strings.Contains(err.Error(), c.says) {
			t.Errorf("Check() = %v, want an error that says %q", err, c.says)
		}
		if _, err2 := query.Compile(d, query.Question{SQL: "SELECT count(*) FROM stays"}); err2 == nil || err2.Error() != err.Error() {
			t.Errorf("Compile() = %v, want what Check says: %v", err2, err)
		}
	}
	if err := clinic().Check(); err != nil {
		t.Error(err)
	}
	var none *query.Dataset
	if none.Check() == nil {
		t.Error("no dataset is one")
	}
}

// Limits that are not declared are the strict ones, and what a question asks for is within them.
func TestLimits(t *testing.T) {
	t.Parallel()
	d := clinic()
	d.Limits = query.Limits{}
	p, err := query.Compile(d, query.Question{SQL: "SELECT diagnosis, count(*) FROM stays GROUP BY 1"})
	if err != nil || p.Relation.Rows != 1 || p.Relation.Groups != 1 {
		t.Errorf("without limits a unit counts with %d rows in %d groups (%v), want 1 in 1", p.Relation.Rows, p.Relation.Groups, err)
	}
	for _, q := range []query.Question{{Rows: 2}, {Groups: 2}, {Rows: -1}, {Groups: -1}} {
		q.SQL = "SELECT count(*) FROM stays"
		if _, err := query.Compile(d, q); err == nil {
			t.Errorf("rows %d, groups %d: taken beyond the limits", q.Rows, q.Groups)
		}
	}
}

// The page for those who ask shows nothing that is not taken.
func TestExamplesOfThePageAreTaken(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile("../../../docs/spec/dp-sql-language.md")
	if err != nil {
		t.Fatal(err)
	}
	parts := strings.Split(string(page), "```sql\n")
	if len(parts) < 6 {
		t.Errorf("the page has %d examples, want at least 5", len(parts)-1)
	}
	for _, part := range parts[1:] {
		sql, _, _ := strings.Cut(part, "```")
		compile(t, sql)
	}
	// Every function that the parser lets through is on it.
	for _, name := range syntax.Functions() {
		if !strings.Contains(string(page), "`"+name) && !strings.Contains(string(page), name+"`") {
			t.Errorf("function %s is not on the page", name)
		}
	}
}
