package query_test

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/scrimhq/scrim/data/sql/relation"
	"github.com/scrimhq/scrim/data/sql/syntax"
	"github.com/scrimhq/scrim/privacy/dp/query"
)

// Questions that ask for the same are one question to the ledger, and those that do not are several.
func TestCanonicalIsTheMeaning(t *testing.T) {
	t.Parallel()
	same := [][]string{
		{"SELECT ward, count(*) FROM stays GROUP BY ward", "select  WARD,\n COUNT( * ) -- counts\nfrom Stays s group by s.ward", "SELECT x.ward, count(*) FROM stays AS x GROUP BY 1"},
		{"SELECT count(*) FROM stays s JOIN patients p ON s.patient_id = p.id", "SELECT count(*) FROM stays a INNER JOIN patients b ON a.patient_id = b.id"},
		{"WITH a AS (SELECT patient_id, max(age) AS m FROM stays GROUP BY 1) SELECT avg(m) FROM a", "SELECT avg(oldest) FROM (SELECT patient_id AS who, max(age) AS oldest FROM stays GROUP BY patient_id) sub"},
		{"SELECT count(*) FROM stays WHERE age > 30", "SELECT count(*) FROM stays WHERE (stays.age > 30)", "SELECT count(*) FROM stays WHERE age > 30.0"},
	}
	for _, group := range same {
		first := compile(t, group[0]).Canonical()
		for _, sql := range group[1:] {
			if got := compile(t, sql).Canonical(); !bytes.Equal(first, got) {
				t.Errorf("%s\n%s\n\tare one question, and differ:\n%s\n%s", group[0], sql, first, got)
			}
		}
	}
	seen := map[string]string{}
	for _, sql := range append([]string{
		"SELECT count(*) FROM stays WHERE age > 30", "SELECT count(*) FROM stays WHERE age > 31", "SELECT count(*) FROM stays WHERE age >= 30",
		"SELECT count(*) FROM stays WHERE NOT age > 30", "SELECT count(age) FROM stays WHERE age > 30", "SELECT count(*) AS n FROM stays WHERE age > 30",
		"SELECT count(*) FROM stays WHERE diagnosis = 'a'", "SELECT count(*) FROM stays WHERE diagnosis = 'A'", "SELECT count(*) FROM stays WHERE diagnosis = 'a '",
		"SELECT count(*) FROM stays WHERE diagnosis IN ('a', 'b')", "SELECT count(*) FROM stays WHERE diagnosis IN ('a'', ''b')",
		"SELECT ward, count(*) FROM stays GROUP BY ward HAVING count(*) > 5", "SELECT ward, count(*) FROM stays GROUP BY ward HAVING count(*) > 6",
		"SELECT ward, count(*) FROM stays GROUP BY ward LIMIT 5", "SELECT ward, count(*) FROM stays GROUP BY ward ORDER BY 1", "SELECT ward, count(*) FROM stays GROUP BY ward ORDER BY 1 DESC",
		"SELECT ward, count(*) FROM stays GROUP BY ward ORDER BY 2", "SELECT quantile(age, 0.5) FROM stays", "SELECT quantile(age, 0.25) FROM stays",
		"SELECT var_pop(age) FROM stays", "SELECT var_samp(age) FROM stays",
	}, accepted...) {
		c := string(compile(t, sql).Canonical())
		if other, ok := seen[c]; ok {
			t.Errorf("%s\n%s\n\tdiffer, and are one question", sql, other)
		}
		seen[c] = sql
	}
	for name, q := range map[string]query.Question{
		"rows": {Rows: 2}, "groups": {Groups: 1}, "time": {From: time.Date(2024, 1, 1, 0, 0, 0, 0, time.UTC)}, "until": {Until: time.Date(2024, 1, 1, 0, 0, 0, 0, time.UTC)},
	} {
		q.SQL = "SELECT ward, count(*) FROM stays GROUP BY ward"
		p, err := query.Compile(clinic(), q)
		if err != nil {
			t.Fatal(err)
		}
		if same := seen[string(p.Canonical())]; same != "" {
			t.Errorf("other %s are one question with %s", name, same)
		}
	}
}

var constants = regexp.MustCompile(`'[^']*'|\b\d+(\.\d+)?\b`)

// Whatever is wrong with a question, its error does not repeat a constant of it: constants are what an asker knows, or guesses, of somebody.
func TestNoErrorRepeatsAConstant(t *testing.T) {
	t.Parallel()
	all := append([]string{}, accepted...)
	all = append(all, meanings...)
	for _, r := range refused {
		all = append(all, r.sql)
	}
	failed := 0
	for _, sql := range all {
		places := constants.FindAllStringIndex(sql, -1)
		for _, at := range places {
			for i, canary := range []string{"'zqcanary'", "86420975.13579", "'86420975'", "86420975", "NULL", "''"} {
				if i > 1 && os.Getenv("SCRIM_LONG") != "1" {
					break
				}
				text := sql[:at[0]] + canary + sql[at[1]:]
				_, err := query.Compile(clinic(), query.Question{SQL: text})
				if err == nil {
					continue
				}
				failed++
				if s := err.Error(); strings.Contains(s, "zqcanary") || strings.Contains(s, "86420975") {
					t.Errorf("%s\n\t%s", text, s)
				}
				known(t, text, err)
			}
		}
	}
	if failed < 100 {
		t.Errorf("only %d of the questions were refused", failed)
	}
}

// known is an error of one of the two kinds that askers get.
func known(t *testing.T, sql string, err error) {
	t.Helper()
	if _, ok := errors.AsType[*query.Error](err); ok {
		return
	}
	if _, ok := errors.AsType[*syntax.Error](err); !ok {
		t.Errorf("%s\n\tan error of another kind: %v", sql, err)
	}
}

func FuzzCompile(f *testing.F) {
	for _, sql := range accepted {
		f.Add(sql)
	}
	for _, sql := range meanings {
		f.Add(sql)
	}
	for _, r := range refused {
		f.Add(r.sql)
	}
	_, _ = query.Compile(clinic(), query.Question{SQL: accepted[0]}) // loads the parser, which takes longer than a fuzzer waits
	f.Fuzz(func(t *testing.T, sql string) {
		begin := time.Now()
		p, err := query.Compile(clinic(), query.Question{SQL: sql})
		if d := time.Since(begin); d > 20*time.Second {
			t.Errorf("compiling took %v", d)
		}
		if err != nil {
			known(t, sql, err)
			return
		}
		if err := relation.Check(&p.Relation); err != nil {
			t.Error(err)
		}
		declaredOnly(t, sql, p)
		if len(p.Canonical()) == 0 {
			t.Error("no canonical form")
		}
		_, _ = p.Price(query.Terms{Epsilon: 1e9, Delta: 1e6, SelectionDelta: 1e6})
	})
}

// What is nested, repeated or wide ends soon, in a plan or a refusal.
func TestLargeQuestionsEndSoon(t *testing.T) {
	t.Parallel()
	nested, ctes, unions := "stays", "a0 AS (SELECT patient_id, age FROM stays)", "SELECT patient_id, age FROM stays"
	greatest, sums, cases := "age", "age", "age"
	for i := range 60 {
		nested = "(SELECT patient_id, age + 1 AS age FROM " + nested + " x WHERE age > 3)"
		unions += " UNION ALL SELECT patient_id, age FROM stays"
		greatest = "greatest(" + greatest + ", age % 7)"
		sums += " + age"
		cases = "CASE WHEN age > 3 THEN " + cases + " ELSE age % 5 END"
		if i < 20 {
			ctes += fmt.Sprintf(", a%d AS (SELECT x.patient_id, x.age FROM a%d x JOIN a%d y ON x.patient_id = y.patient_id)", i+1, i, i)
		}
	}
	outer := "SELECT ward, count(*) AS n FROM stays GROUP BY ward"
	post := "count(*)"
	for range 30 {
		outer = "SELECT ward, n FROM (" + outer + ") x"
		post = "abs(" + post + ")"
	}
	for name, sql := range map[string]string{
		"nested": "SELECT count(*) FROM " + nested + " x", "with": "WITH " + ctes + " SELECT count(*) FROM a20", "union": "SELECT count(*) FROM (" + unions + ") u",
		"greatest": "SELECT " + greatest + ", count(*) FROM stays GROUP BY 1", "sums": "SELECT " + sums + ", count(*) FROM stays GROUP BY 1",
		"case": "SELECT " + cases + ", count(*) FROM stays GROUP BY 1", "outer": outer, "post": "SELECT " + post + " FROM stays",
		"days": "SELECT (left_on - admitted::date) * 2 % 1000 + 1, count(*) FROM stays GROUP BY 1",
	} {
		begin := time.Now()
		_, err := query.Compile(clinic(), query.Question{SQL: sql})
		if d := time.Since(begin); d > 20*time.Second {
			t.Errorf("%s: took %v", name, d)
		}
		if err != nil {
			known(t, name, err)
			t.Logf("%s: %v", name, err)
		}
	}
}
