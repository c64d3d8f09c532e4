package querytest_test

import (
	"math/rand/v2"
	"reflect"
	"strings"
	"testing"

	"github.com/scrimhq/scrim/data/sql/relation"
	"github.com/scrimhq/scrim/privacy/dp/query"
	"github.com/scrimhq/scrim/privacy/dp/query/querytest"
)

// hostile are constants that would do something if they were ever text of a statement.
var hostile = []string{
	`x'; DROP TABLE stays; --`, `' OR '1'='1`, `x' UNION SELECT 1, 2, 3 --`, `\'; DELETE FROM stays; --`, `$$; DROP TABLE stays; $$`, `$1`, `?1`, `:p`, `@p`, `%s`, `{0}`,
	`"; DROP TABLE stays; "`, "`; DROP TABLE stays; `", `'||(SELECT count(*) FROM pg_shadow)||'`, `'||pg_sleep(5)||'`, `/*`, `*/`, `--`, "a\nb\r\n;", `\`, `\\`, `''''`, `E'\x27'`,
	`U&'\0027'`, `ʼ; DROP TABLE stays`, `＇; DROP TABLE stays`, "\u202e'; --", "\x01\x1f", `NULL`, `'; ATTACH '/tmp/x' AS y; --`, `'; COPY stays TO '/tmp/x'; --`, strings.Repeat("'", 99),
}

// TestHostileConstantsAreData asks with each of them wherever a constant may stand: engines answer as the reference does, and the tables stay.
func TestHostileConstantsAreData(t *testing.T) {
	d := clinic()
	rng := rand.New(rand.NewPCG(8, 8))
	db := querytest.Random(rng, d, querytest.Options{Typed: true})
	for i, row := range db[1].Rows { // some rows hold what is asked for
		for j, c := range db[1].Columns {
			if text := hostile[i%len(hostile)]; c.Name == "diagnosis" && !strings.Contains(text, "\x01") {
				row[j] = text
			}
		}
	}
	engines := map[string]relation.Engine{"SQLite": lite(t, db), "PostgreSQL": postgres(t, db), "CSV": csvFiles(t, db)}
	asked := 0
	for _, text := range hostile {
		c := "'" + strings.ReplaceAll(text, "'", "''") + "'"
		p, err := query.Compile(d, query.Question{SQL: "SELECT CASE WHEN diagnosis = " + c + " THEN " + c + " ELSE 'other' END AS k, count(*) FILTER (WHERE diagnosis LIKE " + c + " ESCAPE '!') AS m" +
			" FROM stays WHERE diagnosis IN (" + c + ", 'a') OR diagnosis <> " + c + " OR coalesce(diagnosis, " + c + ") = " + c + " GROUP BY 1", Rows: 6, Groups: 4})
		if err != nil {
			t.Errorf("%q: %v", text, err)
			continue
		}
		want, err := querytest.Run(t.Context(), db.Engine(), p, seed)
		if err != nil {
			t.Fatal(err)
		}
		for name, e := range engines {
			got, err := querytest.Run(t.Context(), e, p, seed)
			if err != nil || !reflect.DeepEqual(got, want) {
				t.Errorf("%s: %q: %v, %v, want %v", name, text, got, err, want)
			}
			asked++
		}
	}
	if asked < 3*len(hostile)-6 {
		t.Errorf("%d questions were asked: this shows too little", asked)
	}
}

// TestHostileNamesAreRefusedOrData: what a question names is looked up in what is declared, and an alias is a heading of the answer.
func TestHostileNamesAreRefusedOrData(t *testing.T) {
	d := clinic()
	for _, name := range hostile {
		if strings.ContainsAny(name, "\n\x01\u202e") || len(name) > 60 {
			continue
		}
		quoted := `"` + strings.ReplaceAll(name, `"`, `""`) + `"`
		for _, sql := range []string{"SELECT count(*) FROM " + quoted, "SELECT count(*) FROM stays WHERE " + quoted + " = 1", "SELECT count(*) FROM stays.stays." + quoted} {
			if _, err := query.Compile(d, query.Question{SQL: sql}); err == nil {
				t.Errorf("%s is taken", sql)
			}
		}
		p, err := query.Compile(d, query.Question{SQL: "WITH " + quoted + " AS (SELECT age AS " + quoted + ", patient_id FROM stays) SELECT sum(" + quoted + ") AS " + quoted + " FROM " + quoted})
		if err != nil {
			t.Errorf("as aliases, %q: %v", name, err)
			continue
		}
		for _, s := range p.Scans {
			if s.Table != "stays" {
				t.Errorf("%q: reads %q", name, s.Table)
			}
		}
		if strings.Contains(describe(p.Relation.In), name) && len(name) > 3 {
			t.Errorf("%q is in what the source is asked", name)
		}
	}
}

// describe writes the names of columns of a tree.
func describe(r relation.Rel) string {
	var b strings.Builder
	for _, c := range r.Columns() {
		b.WriteString(c.Name + " ")
	}
	if p, ok := r.(*relation.Project); ok {
		return b.String() + describe(p.In)
	}
	return b.String()
}
